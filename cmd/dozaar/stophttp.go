package main

import (
	"context"
	"errors"
	"net/http"
	"time"
)

// stopHTTP lets requests finish for half the time that there is and cuts the rest off: what is stopped after the server
// needs time too, whoever keeps half a request or does not read an answer.
func stopHTTP(server *http.Server) func(context.Context) error {
	return func(ctx context.Context) error {
		bounded := ctx
		if until, ok := ctx.Deadline(); ok {
			var cancel context.CancelFunc
			bounded, cancel = context.WithTimeout(ctx, time.Until(until)/2)
			defer cancel()
		}
		err := server.Shutdown(bounded)
		if errors.Is(err, context.DeadlineExceeded) {
			return server.Close()
		}
		return err
	}
}
