package redistest

import (
	"context"
	"fmt"
	"net"
	"slices"
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
	switch strings.ToLower(word(args[0])) {
	case "eval", "evalsha":
		n := 0
		_, _ = fmt.Sscan(word(args[2]), &n)
		args = args[3 : 3+n]
	case "del", "exists", "unlink", "mget", "touch":
		args = args[1:]
	case "xread":
		at := slices.IndexFunc(args, func(arg any) bool { return strings.EqualFold(word(arg), "streams") })
		rest := args[at+1:]
		args = rest[:len(rest)/2]
	default:
		return nil
	}
	for _, arg := range args {
		keys = append(keys, word(arg))
	}
	return keys
}

func word(arg any) string {
	if s, ok := arg.(string); ok {
		return s
	}
	return fmt.Sprint(arg)
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
