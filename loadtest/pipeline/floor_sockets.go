package main

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
)

// socketFloor is a bare websocket server. To each message of a sender it writes the frames that the product
// wrote: an acknowledgement, and the message to the sender and to the recipients. It looks for the message's number
// and knows nothing else.
type socketFloor struct {
	samples  samples
	upgrader websocket.Upgrader
	server   *http.Server
	serving  sync.WaitGroup

	mu    sync.Mutex // guards rooms
	rooms map[int]*floorRoom
}

// floorRoom is a conversation.
type floorRoom struct {
	mu      sync.Mutex // guards what follows and the right to write to them
	members [1 + recipients]*websocket.Conn
}

func (f *socketFloor) open(ctx context.Context, c floorCommand) (any, error) {
	f.samples, f.rooms = c.Samples, map[int]*floorRoom{}
	if !strings.Contains(f.samples.Message, string(textField)) || !strings.HasPrefix(f.samples.Ack, string(anAck)) {
		return nil, errors.New("no frames to write")
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	f.server = &http.Server{Handler: f, ReadHeaderTimeout: 10 * time.Second}
	f.serving.Go(func() { _ = f.server.Serve(listener) })
	return listener.Addr().String(), nil
}

func (f *socketFloor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	conversation, err1 := strconv.Atoi(r.URL.Query().Get("conversation"))
	member, err2 := strconv.Atoi(r.URL.Query().Get("member"))
	if errors.Join(err1, err2) != nil || member < 0 || member > recipients {
		http.Error(w, "who are you?", http.StatusBadRequest)
		return
	}
	ws, err := f.upgrader.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	f.mu.Lock()
	room := f.rooms[conversation]
	if room == nil {
		room = &floorRoom{}
		f.rooms[conversation] = room
	}
	f.mu.Unlock()
	room.mu.Lock()
	room.members[member] = ws
	room.mu.Unlock()
	go func() { // so that the goroutine of net/http, and all it holds, can go
		defer func() { _ = ws.Close() }()
		for {
			_, payload, err := ws.ReadMessage()
			if err != nil || f.answer(room, ws, payload) != nil {
				return
			}
		}
	}()
}

// A member joins, so that it is here before anything is sent to it.
var (
	joining = []byte(`42/chat,0["join:conversation"`)
	joined  = []byte(`43/chat,0[{"ok":true}]`)
)

func (f *socketFloor) answer(room *floorRoom, sender *websocket.Conn, payload []byte) error {
	room.mu.Lock()
	defer room.mu.Unlock()
	if bytes.HasPrefix(payload, joining) {
		return sender.WriteMessage(websocket.TextMessage, joined)
	}
	n := after(payload, []byte(`"message":"`))
	if len(n) < numberDigits {
		return errors.New("no number")
	}
	n = n[:numberDigits]
	_, rest, _ := strings.Cut(f.samples.Ack, "[")
	id, _ := number(n)
	ack := append(strconv.AppendInt(bytes.Clone(anAck), id, 10), '[')
	if err := sender.WriteMessage(websocket.TextMessage, append(ack, rest...)); err != nil {
		return err
	}
	message := []byte(f.samples.Message)
	copy(message[strings.Index(f.samples.Message, string(textField))+len(textField):], n)
	prepared, err := websocket.NewPreparedMessage(websocket.TextMessage, message)
	if err != nil {
		return err
	}
	for _, member := range room.members {
		if err := member.WritePreparedMessage(prepared); err != nil {
			return err
		}
	}
	return nil
}

func (*socketFloor) run(context.Context, string, order) (outcome, error) {
	return outcome{}, errors.New("the client drives this floor")
}

func (f *socketFloor) close() {
	if f.server != nil {
		_ = f.server.Close()
	}
	f.serving.Wait()
}
