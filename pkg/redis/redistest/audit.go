package redistest

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"

	goredis "github.com/redis/go-redis/v9"
)

// audit fails the test when a command's keys are not in one hash slot: a cluster would refuse it, a single
// server does not.
type audit struct{ t testing.TB }

func (a audit) look(cmd goredis.Cmder) {
	if keys := keysOf(cmd.Args()); !oneSlot(keys) {
		a.t.Errorf("%s on keys of several slots: %q", cmd.Name(), keys)
	}
}

func oneSlot(keys []string) bool {
	for _, key := range keys {
		if Slot(key) != Slot(keys[0]) {
			return false
		}
	}
	return true
}

// keysOf are the keys of a command, as far as there are several.
func keysOf(args []any) (keys []string) {
	words := make([]string, len(args))
	for i, arg := range args {
		words[i] = fmt.Sprint(arg)
	}
	switch strings.ToLower(words[0]) {
	case "eval", "evalsha":
		n := 0
		_, _ = fmt.Sscan(words[2], &n)
		return words[3 : 3+n]
	case "del", "exists", "unlink", "mget", "touch":
		return words[1:]
	case "xread":
		for i, word := range words {
			if strings.EqualFold(word, "streams") {
				rest := words[i+1:]
				return rest[:len(rest)/2]
			}
		}
	}
	return nil
}

func (a audit) DialHook(next goredis.DialHook) goredis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

func (a audit) ProcessHook(next goredis.ProcessHook) goredis.ProcessHook {
	return func(ctx context.Context, cmd goredis.Cmder) error {
		a.look(cmd)
		return next(ctx, cmd)
	}
}

func (a audit) ProcessPipelineHook(next goredis.ProcessPipelineHook) goredis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []goredis.Cmder) error {
		for _, cmd := range cmds {
			a.look(cmd)
		}
		return next(ctx, cmds)
	}
}
