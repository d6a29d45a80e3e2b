package redis_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	goredis "github.com/redis/go-redis/v9"

	"github.com/dozaar/dozaar/pkg/redis"
	"github.com/dozaar/dozaar/pkg/redis/redistest"
)

func TestMain(m *testing.M) { redistest.VerifyNoLeaks(m) }

func open(t *testing.T, reg prometheus.Registerer, addr string) goredis.UniversalClient {
	t.Helper()
	client, err := redis.Open(redis.Config{Addrs: []string{addr}, Registerer: reg})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func gather(t *testing.T, reg *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			m := f.GetMetric()[0]
			return m.GetGauge().GetValue() + m.GetCounter().GetValue()
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}

func TestConfigIsChecked(t *testing.T) {
	for _, cfg := range []redis.Config{
		{},
		{Addrs: []string{"a:1"}, Cluster: true, DB: 1},
		{Addrs: []string{"a:1"}, Cluster: true, MasterName: "m"},
	} {
		if client, err := redis.Open(cfg); err == nil {
			_ = client.Close()
			t.Errorf("%+v was accepted", cfg)
		}
	}
}

func TestUpFollowsRedis(t *testing.T) {
	t.Parallel()
	server := redistest.StartServer(t)
	reg := prometheus.NewRegistry()
	client := open(t, reg, server.Addr())
	open(t, reg, server.Addr()) // a second client of this process shares the metrics

	if err := client.Get(t.Context(), "absent").Err(); !errors.Is(err, goredis.Nil) {
		t.Fatal(err)
	}
	if up := gather(t, reg, "dozaar_redis_up"); up != 1 {
		t.Errorf("up is %v", up)
	}
	if err := client.Do(t.Context(), "nonsense").Err(); err == nil {
		t.Fatal("nonsense was understood")
	}
	if up := gather(t, reg, "dozaar_redis_up"); up != 1 {
		t.Errorf("up is %v after an answer that is an error", up)
	}

	server.Kill()
	started := time.Now()
	if err := client.Ping(t.Context()).Err(); err == nil {
		t.Fatal("a dead server answered")
	}
	if took := time.Since(started); took > 5*time.Second {
		t.Errorf("it took %v to say that a server refuses", took)
	}
	if up, failed := gather(t, reg, "dozaar_redis_up"), gather(t, reg, "dozaar_redis_errors_total"); up != 0 || failed != 1 {
		t.Errorf("up is %v, errors %v", up, failed)
	}

	server.Restart()
	pipe := client.Pipeline()
	pipe.Ping(t.Context())
	if _, err := pipe.Exec(t.Context()); err != nil {
		t.Fatal(err)
	}
	if up := gather(t, reg, "dozaar_redis_up"); up != 0 {
		t.Errorf("up is %v at once: an outage of one node among many would not be seen", up)
	}
	time.Sleep(5*time.Second + 50*time.Millisecond)
	if err := client.Ping(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	if up := gather(t, reg, "dozaar_redis_up"); up != 1 {
		t.Errorf("up is %v", up)
	}
}

// A server that takes the connection and says nothing must not hold anybody past their deadline.
func TestADeadlineIsObeyed(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client := open(t, nil, l.Addr().String())
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	started := time.Now()
	if err := client.Ping(ctx).Err(); err == nil {
		t.Fatal("silence was taken for an answer")
	}
	if took := time.Since(started); took > 1500*time.Millisecond {
		t.Errorf("a deadline of 200 ms took %v", took)
	}
}
