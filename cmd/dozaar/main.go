// Command dozaar is real-time chat for marketplaces: every role and every tool in one binary.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	// The first signal drains; a second one finds the default behaviour, and ends the process at once.
	context.AfterFunc(ctx, stop)
	code := run(ctx, os.Args[1:], environmentOf(os.Environ()), os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
