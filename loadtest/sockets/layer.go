package main

import (
	"context"
	"net/http"

	"github.com/dozaar/dozaar/pkg/socketio"
)

// layer is the least that pkg/socketio can stand behind: echo, one room, nobody turned away.
type layer struct{ room socketio.Room }

func newLayer() http.Handler {
	s := socketio.New(socketio.Config{PingInterval: pingInterval, PingTimeout: pingTimeout})
	s.Namespace("/", &layer{})
	return s
}

func (*layer) Authenticate(context.Context, socketio.Handshake) (any, error) { return nil, nil }
func (*layer) Connected(context.Context, *socketio.Socket)                   {}
func (*layer) Disconnected(*socketio.Socket, string)                         {}

func (l *layer) Event(_ context.Context, s *socketio.Socket, e socketio.Event) {
	switch e.Name {
	case "echo":
		e.Ack(e.Args[0])
	case "join":
		l.room.Join(s)
		e.Ack()
	case "say":
		packet, err := socketio.Encode("/", "said", e.Args[0])
		if err != nil {
			panic(err) // it was decoded a moment ago
		}
		l.room.Send(packet)
	}
}
