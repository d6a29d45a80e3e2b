package main

import (
	"net/http"

	libsocket "github.com/zishang520/socket.io/servers/socket/v3" //nolint:depguard // it is measured here, as it comes
)

// newLibrary is the library that pkg/socketio stands on, by itself.
func newLibrary() http.Handler {
	options := libsocket.DefaultServerOptions()
	options.SetServeClient(false)
	options.SetPingInterval(pingInterval)
	options.SetPingTimeout(pingTimeout)
	io := libsocket.NewServer(nil, options)
	_ = io.On("connection", func(args ...any) {
		s := args[0].(*libsocket.Socket)
		_ = s.On("echo", func(args ...any) { args[1].(libsocket.Ack)([]any{args[0]}, nil) })
		_ = s.On("join", func(args ...any) {
			s.Join("room")
			args[0].(libsocket.Ack)(nil, nil)
		})
		_ = s.On("say", func(args ...any) { _ = io.To("room").Emit("said", args[0]) })
	})
	return io.ServeHandler(nil)
}
