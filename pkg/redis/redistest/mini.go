// Package redistest gives tests a Redis: one in this process whose clock the test moves, a real redis-server that
// the test may kill or pause, and real sets of them with failover, by Sentinel and as a cluster.
package redistest

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/dozaar/dozaar/pkg/redis"
)

// Mini is a Redis in this process. Its clock stands still until the test moves it.
type Mini struct {
	*miniredis.Miniredis

	mu  sync.Mutex
	now time.Time
}

// StartMini starts one for the duration of the test.
func StartMini(t testing.TB) *Mini {
	t.Helper()
	m := &Mini{Miniredis: miniredis.NewMiniRedis(), now: time.UnixMilli(1_700_000_000_000).UTC()}
	m.SetTime(m.now)
	m.ClockTTL(true)
	if err := m.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m
}

// Now is the time by its clock.
func (m *Mini) Now() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now
}

// Advance moves its clock; keys whose TTL is over are gone.
func (m *Mini) Advance(d time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now = m.now.Add(d)
	m.SetTime(m.now)
}

// Client opens a client of a server for the duration of the test. Like the clients of the other functions it
// fails the test on a command whose keys are in several slots, and when the test leaves a key that docs/redis.md does
// not know, or that has no end.
func Client(t testing.TB, addr string) goredis.UniversalClient {
	t.Helper()
	return open(t, redis.Config{Addrs: []string{addr}})
}

// Unhurried is Client for a test in which time passes only by its word: a command takes as long as it takes, whatever
// the deadline of its caller, and is sent once. A machine that is busy for seconds changes nothing then.
func Unhurried(t testing.TB, m *Mini) goredis.UniversalClient {
	t.Helper()
	client := goredis.NewClient(&goredis.Options{
		Addr: m.Addr(), ReadTimeout: -1, WriteTimeout: -1, PoolTimeout: time.Hour, DialTimeout: time.Hour, MaxRetries: -1,
		Protocol: 2, DisableIdentity: true, MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	})
	client.AddHook(unhurried{})
	return kept(t, client)
}

// unhurried takes the deadline off every command.
type unhurried struct{}

func (unhurried) DialHook(next goredis.DialHook) goredis.DialHook { return next }

func (unhurried) ProcessHook(next goredis.ProcessHook) goredis.ProcessHook {
	return func(ctx context.Context, cmd goredis.Cmder) error { return next(context.WithoutCancel(ctx), cmd) }
}

func (unhurried) ProcessPipelineHook(next goredis.ProcessPipelineHook) goredis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []goredis.Cmder) error { return next(context.WithoutCancel(ctx), cmds) }
}

// ClusterClient opens a client of a cluster for the duration of the test.
func ClusterClient(t testing.TB, addr string) goredis.UniversalClient {
	t.Helper()
	return open(t, redis.Config{Addrs: []string{addr}, Cluster: true})
}

func open(t testing.TB, cfg redis.Config) goredis.UniversalClient {
	t.Helper()
	client, err := redis.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return kept(t, client)
}

// kept is a client that is audited, and closed at the end of the test.
func kept(t testing.TB, client goredis.UniversalClient) goredis.UniversalClient {
	client.AddHook(audit{t})
	t.Cleanup(func() {
		CheckKeys(t, client)
		_ = client.Close()
	})
	return client
}
