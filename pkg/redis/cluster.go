package redis

import (
	"context"
	"errors"
	"math/rand/v2"
	"net"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// clusterPipelines tries the commands of a cluster's pipelines again, each for itself.
//
// The library tries a node's whole batch again when its first command fails for a passing reason. If another one of
// the batch was redirected at the same time, as while a slot is moved, that one is sent twice, by two
// goroutines that write into one result. So the library is kept from it: it only follows redirections.
type clusterPipelines struct{}

// once is a command that the library does not try again.
type once struct{ goredis.Cmder }

func (once) NoRetry() bool { return true }

func (clusterPipelines) ProcessPipelineHook(next goredis.ProcessPipelineHook) goredis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []goredis.Cmder) error {
		left := make([]goredis.Cmder, len(cmds))
		for i, cmd := range cmds {
			left[i] = once{cmd}
		}
		for attempt := 0; ; attempt++ {
			_ = next(ctx, left) // each command has its own error
			var again []goredis.Cmder
			for _, cmd := range left {
				if passing(cmd.Err()) {
					again = append(again, cmd)
				}
			}
			if left = again; len(left) == 0 || attempt == retries || !pause(ctx, attempt) {
				break
			}
		}
		for _, cmd := range cmds {
			if err := cmd.Err(); err != nil {
				return err
			}
		}
		return nil
	}
}

// passing says whether a command may be served when it is tried again.
func passing(err error) bool {
	return !served(err) && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, goredis.ErrClosed)
}

// pause waits before another attempt, at random below a doubling bound; false: ctx ended first.
func pause(ctx context.Context, attempt int) bool {
	timer := time.NewTimer(min(maxRetryBackoff, minRetryBackoff+rand.N(minRetryBackoff<<(2*attempt+2))))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

func (clusterPipelines) ProcessHook(next goredis.ProcessHook) goredis.ProcessHook { return next }

func (clusterPipelines) DialHook(next goredis.DialHook) goredis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}
