package main

import (
	"bytes"
	"net/http"
	"sync"

	"github.com/gorilla/websocket"
)

// floor answers as the others do, with as little as a websocket server can do it: it looks at the first
// bytes of a message and knows no packets. What it costs is what sockets and frames cost.
type floor struct {
	upgrader websocket.Upgrader

	mu   sync.Mutex // guards room and, being held for a whole broadcast, the order of messages
	room map[*floorConn]struct{}
}

type floorConn struct {
	*websocket.Conn
	mu sync.Mutex // one writer at a time
}

func newFloor() http.Handler { return &floor{room: make(map[*floorConn]struct{})} }

var (
	floorEcho = []byte(`["echo",`)
	floorSay  = []byte(`42["say",`)
	floorSaid = []byte(`42["said",`)
	floorJoin = []byte(`["join"]`)
)

func (f *floor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ws, err := f.upgrader.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	c := &floorConn{Conn: ws}
	go func() { // so that the goroutine of net/http, and all it holds, can go
		defer func() {
			f.mu.Lock()
			delete(f.room, c)
			f.mu.Unlock()
			_ = ws.Close()
		}()
		for {
			_, message, err := ws.ReadMessage()
			if err != nil || f.handle(c, message) != nil {
				return
			}
		}
	}()
}

func (f *floor) handle(c *floorConn, message []byte) error {
	if text, ok := bytes.CutPrefix(message, floorSay); ok {
		return f.broadcast(append(floorSaid[:len(floorSaid):len(floorSaid)], text...))
	}
	if bytes.HasSuffix(message, floorJoin) {
		f.mu.Lock()
		f.room[c] = struct{}{}
		f.mu.Unlock()
	}
	if i := bytes.IndexByte(message, '['); i > 1 {
		reply := append([]byte("43"), message[2:i]...)
		reply = append(reply, '[')
		if text, ok := bytes.CutPrefix(message[i:], floorEcho); ok {
			reply = append(reply, text...)
		} else {
			reply = append(reply, ']')
		}
		message = reply
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.WriteMessage(websocket.TextMessage, message)
}

func (f *floor) broadcast(message []byte) error {
	prepared, err := websocket.NewPreparedMessage(websocket.TextMessage, message)
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for c := range f.room {
		c.mu.Lock()
		_ = c.WritePreparedMessage(prepared) // its reader notices
		c.mu.Unlock()
	}
	return nil
}
