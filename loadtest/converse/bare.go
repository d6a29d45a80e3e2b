package converse

import (
	"bytes"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/gorilla/websocket"
)

// BareServer is a bare websocket server, the floor under every other: to each message it writes frames that are given, an acknowledgement and
// the message to all of the conversation. It looks for the message's number and knows nothing else.
type BareServer struct {
	samples  Samples
	upgrader websocket.Upgrader

	mu    sync.Mutex // guards rooms
	rooms map[string]*bareRoom
}

// bareRoom is a conversation.
type bareRoom struct {
	message []byte // of this conversation

	mu      sync.Mutex // guards what follows and the right to write to them
	members []*websocket.Conn
}

// DefaultSamples are frames as the product writes them, roughly.
func DefaultSamples() Samples {
	return Samples{
		Ack:     `43/chat,1[{"ok":true,"messageId":"01900000-0000-7000-8000-000000000000"}]`,
		Message: `42/chat,["new:message",{"id":"01900000-0000-7000-8000-000000000000","conversationId":"01900000-0000-7000-8000-000000000000","seq":1,"senderId":"01900000-0000-7000-8000-000000000000","message":"` + TextOf(1) + `","createdAt":"2026-01-01T00:00:00.000Z"}]`,
	}
}

// NewBareServer makes one that answers with these frames.
func NewBareServer(frames Samples) (*BareServer, error) {
	if !strings.Contains(frames.Message, string(textField)) || !strings.HasPrefix(frames.Ack, string(anAck)) {
		return nil, errors.New("no frames to write")
	}
	return &BareServer{samples: frames, rooms: map[string]*bareRoom{}}, nil
}

// ServeHTTP lets a member of a conversation in, which the query names.
func (f *BareServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	conversation := r.URL.Query().Get("conversation")
	if conversation == "" {
		http.Error(w, "where to?", http.StatusBadRequest)
		return
	}
	ws, err := f.upgrader.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	f.mu.Lock()
	room := f.rooms[conversation]
	if room == nil {
		message := []byte(f.samples.Message)
		its := slices.Concat(inField, field(message, inField))
		room = &bareRoom{message: bytes.Replace(message, its, append(bytes.Clone(inField), conversation...), 1)}
		f.rooms[conversation] = room
	}
	f.mu.Unlock()
	room.mu.Lock()
	room.members = append(room.members, ws)
	room.mu.Unlock()
	go func() { // so that the goroutine of net/http, and all it holds, can go
		defer func() {
			_ = ws.Close()
			room.mu.Lock()
			room.members = slices.DeleteFunc(room.members, func(other *websocket.Conn) bool { return other == ws })
			room.mu.Unlock()
		}()
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
	toJoin  = []byte(`42/chat,0["join:conversation"`)
	hasCome = []byte(`43/chat,0[{"ok":true}]`)
)

func (f *BareServer) answer(room *bareRoom, sender *websocket.Conn, payload []byte) error {
	room.mu.Lock()
	defer room.mu.Unlock()
	if bytes.HasPrefix(payload, toJoin) {
		return sender.WriteMessage(websocket.TextMessage, hasCome)
	}
	n := after(payload, textField)
	if len(n) < numberDigits {
		return errors.New("no number")
	}
	n = n[:numberDigits]
	_, rest, _ := strings.Cut(f.samples.Ack, "[")
	id := number(n)
	ack := append(strconv.AppendInt(bytes.Clone(anAck), id, 10), '[')
	if err := sender.WriteMessage(websocket.TextMessage, append(ack, rest...)); err != nil {
		return err
	}
	text := bytes.Clone(room.message)
	copy(text[bytes.Index(text, textField)+len(textField):], n)
	prepared, err := websocket.NewPreparedMessage(websocket.TextMessage, text)
	if err != nil {
		return err
	}
	for _, member := range room.members {
		_ = member.WritePreparedMessage(prepared) // its reader notices
	}
	return nil
}
