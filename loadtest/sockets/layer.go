package main

import (
	"context"
	"net/http"
	"sync"

	"github.com/dozaar/dozaar/pkg/socketio"
)

// layer is the least that pkg/socketio can stand behind: echo, one room, nobody turned away.
type layer struct {
	mu   sync.RWMutex // guards room
	room []*socketio.Socket
}

func newLayer() http.Handler {
	s := socketio.New(socketio.Config{PingInterval: pingInterval, PingTimeout: pingTimeout})
	s.Namespace("/", &layer{})
	return s
}

func (*layer) Authenticate(context.Context, socketio.Handshake) (any, error) { return nil, nil }
func (*layer) Connected(context.Context, *socketio.Socket)                   {}

func (l *layer) Event(_ context.Context, s *socketio.Socket, e socketio.Event) {
	switch e.Name {
	case "echo":
		e.Ack(e.Args[0])
	case "join":
		l.mu.Lock()
		l.room = append(l.room, s)
		l.mu.Unlock()
		e.Ack()
	case "say":
		packet, err := socketio.Encode("/", "said", e.Args[0])
		if err != nil {
			panic(err) // it was decoded a moment ago
		}
		l.mu.RLock()
		for _, member := range l.room {
			member.Send(packet)
		}
		l.mu.RUnlock()
	}
}

func (l *layer) Disconnected(s *socketio.Socket, _ string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i, member := range l.room {
		if member == s {
			last := len(l.room) - 1
			l.room[i], l.room[last] = l.room[last], nil
			l.room = l.room[:last]
			return
		}
	}
}
