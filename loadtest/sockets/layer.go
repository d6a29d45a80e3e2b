package main

import (
	"context"
	"net/http"
	"net/netip"
	"sync/atomic"

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

// guarded is the layer with the limits that the product has by default, and one user who may have only a few
// sockets.
type guarded struct {
	layer
	eves atomic.Int32
}

const userSockets, addressConnections = 20, 60

func newGuarded() http.Handler {
	s := socketio.New(socketio.Config{
		Handshakes: socketio.Rate{PerSecond: 1000, Burst: 2000}, ConnectionsPerAddress: addressConnections,
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
	})
	s.Namespace("/", &guarded{})
	return s
}

func (g *guarded) Authenticate(_ context.Context, h socketio.Handshake) (any, error) {
	if len(h.Auth) == 0 {
		return "witness", nil
	}
	if g.eves.Add(1) > userSockets {
		g.eves.Add(-1)
		return nil, &socketio.Refusal{Message: "too many sockets"}
	}
	return "eve", nil
}

func (g *guarded) Disconnected(s *socketio.Socket, _ string) {
	if s.User() == "eve" {
		g.eves.Add(-1)
	}
}
