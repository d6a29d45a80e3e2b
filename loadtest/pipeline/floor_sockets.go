package main

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/dozaar/dozaar/loadtest/converse"
)

// socketFloor is a bare websocket server, which writes the frames that the product wrote.
type socketFloor struct {
	server  *http.Server
	serving sync.WaitGroup
}

func (f *socketFloor) open(ctx context.Context, c floorCommand) (any, error) {
	bare, err := converse.NewBareServer(c.Samples)
	if err != nil {
		return nil, err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	f.server = &http.Server{Handler: bare, ReadHeaderTimeout: 10 * time.Second}
	f.serving.Go(func() { _ = f.server.Serve(listener) })
	return listener.Addr().String(), nil
}

func (*socketFloor) run(context.Context, string, converse.Order) (converse.Outcome, error) {
	return converse.Outcome{}, errors.New("the client drives this floor")
}

func (f *socketFloor) close() {
	if f.server != nil {
		_ = f.server.Close()
	}
	f.serving.Wait()
}
