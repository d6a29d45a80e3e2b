package embedded

import (
	"context"
	"fmt"
	"time"

	"github.com/alicebob/miniredis/v2"
)

// Redis is a Redis inside this process, on a free port of the loopback interface. It keeps nothing
// over a restart: to its clients that is a Redis that came back empty.
type Redis struct {
	server *miniredis.Miniredis
}

// redisTick is how often keys are aged: a TTL may run out late by so much.
const redisTick = 100 * time.Millisecond

// StartRedis starts one. The caller runs Run, without which nothing in it expires, and Close at last.
func StartRedis() (*Redis, error) {
	server := miniredis.NewMiniRedis()
	if err := server.StartAddr("127.0.0.1:0"); err != nil {
		return nil, fmt.Errorf("embedded: start redis: %w", err)
	}
	return &Redis{server: server}, nil
}

// Addr is host:port for a client.
func (r *Redis) Addr() string { return r.server.Addr() }

// Run ages the keys by the time that passes, until ctx ends. The server's TIME is the machine's by
// itself; its TTLs only shrink when told to.
func (r *Redis) Run(ctx context.Context) error {
	tick := time.NewTicker(redisTick)
	defer tick.Stop()
	last := time.Now()
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-tick.C:
			r.server.FastForward(now.Sub(last))
			last = now
		}
	}
}

// Close stops the server and cuts its clients off.
func (r *Redis) Close() { r.server.Close() }
