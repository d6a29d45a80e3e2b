package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/dozaar/dozaar/loadtest/standin"
)

// runStandin serves a chat in memory until ctx ends.
func runStandin(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("loadtest standin", flag.ContinueOnError)
	listen := flags.String("listen", "127.0.0.1:3900", "where")
	if err := flags.Parse(args); err != nil {
		return err
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", *listen)
	if err != nil {
		return err
	}
	chat := standin.New()
	server := &http.Server{Handler: chat, ReadHeaderTimeout: 10 * time.Second}
	stop := context.AfterFunc(ctx, func() {
		chat.Close()
		_ = server.Close()
	})
	defer stop()
	fmt.Fprintf(out, "http://%s believes every token; Ctrl-C ends it\n", listener.Addr())
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
