package redis_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	goredis "github.com/redis/go-redis/v9"

	"github.com/dozaar/dozaar/pkg/redis"
	"github.com/dozaar/dozaar/pkg/redis/redistest"
)

// writes sets a key with the patience that the product has.
type writes struct {
	client goredis.UniversalClient
	reg    *prometheus.Registry
}

func newWrites(t *testing.T, s redistest.Set) writes {
	t.Helper()
	w := writes{reg: prometheus.NewRegistry()}
	cfg := s.Config()
	cfg.Registerer = w.reg
	client, err := redis.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	w.client = client
	t.Cleanup(func() { _ = client.Close() })
	for range 8 { // connections that will be idle when the master goes
		go client.Ping(t.Context())
	}
	if err := w.once(t); err != nil {
		t.Fatal(err)
	}
	return w
}

const patience = 3 * time.Second

func (w writes) once(t *testing.T) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	started := time.Now()
	err := w.client.Set(ctx, "key", "value", time.Minute).Err()
	if took := time.Since(started); took > 2*patience {
		t.Errorf("a command that may take %v took %v", patience, took)
	}
	return err
}

// fails waits until a write fails; goesOn waits until it succeeds again, for as long as is reasonable after
// the failover.
func (w writes) fails(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); w.once(t) == nil; {
		if time.Now().After(deadline) {
			t.Fatal("writing goes on without a master")
		}
	}
}

func (w writes) goesOn(t *testing.T) {
	t.Helper()
	started := time.Now()
	for {
		err := w.once(t)
		if err == nil {
			t.Logf("back %v after the failover", time.Since(started))
			return
		}
		if time.Since(started) > 15*time.Second {
			t.Fatalf("still away: %v", err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// The host of the master and of a Sentinel is gone without a word, and comes back. There are several clients,
// so that some have asked that Sentinel before.
func TestSentinelMasterAndSentinelFreeze(t *testing.T) {
	t.Parallel()
	s := redistest.StartSentinel(t)
	var all []writes
	for range 8 {
		all = append(all, newWrites(t, s))
	}
	old, frozen := s.Master(), s.Sentinels[0]
	old.Pause()
	frozen.Pause()
	for _, w := range all {
		go func() { _ = w.client.Ping(t.Context()).Err() }()
	}
	s.AwaitFailover(old, "")
	for _, w := range all {
		w.goesOn(t)
	}
	frozen.Resume()
	old.Resume()
	for range 30 { // the old master calls itself one for some seconds still
		for _, w := range all {
			if err := w.once(t); err != nil {
				t.Errorf("a master that is back disturbs: %v", err)
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// A cluster's client follows a failover, and says for how long it could not serve.
func TestClusterMasterIsKilled(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t)
	w := newWrites(t, c)
	if up := gather(t, w.reg, "dozaar_redis_up"); up != 1 {
		t.Errorf("up is %v before", up)
	}
	old := c.MasterOf("key")
	old.Kill()
	w.fails(t)
	if up := gather(t, w.reg, "dozaar_redis_up"); up != 0 {
		t.Errorf("up is %v without a master", up)
	}
	c.AwaitFailover(old, "key")
	w.goesOn(t)
	for deadline := time.Now().Add(20 * time.Second); gather(t, w.reg, "dozaar_redis_up") != 1; time.Sleep(100 * time.Millisecond) {
		if err := w.once(t); err != nil {
			t.Errorf("after the failover: %v", err)
		}
		if time.Now().After(deadline) {
			t.Fatal("up stays 0")
		}
	}
}

// A batch of which one command is to be tried again and another one is redirected.
func TestAPipelineWhileASlotMoves(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t)
	w := newWrites(t, c)
	const counter, script = "{key}counter", "return redis.call('EXISTS', unpack(KEYS))"
	for _, key := range []string{"{key}a", "{key}z"} {
		if err := w.client.Set(t.Context(), key, 1, time.Minute).Err(); err != nil {
			t.Fatal(err)
		}
	}
	to := c.Nodes[0]
	if c.MasterOf("key") == to {
		to = c.Nodes[1]
	}
	c.MoveSlot("key", to, func() {
		pipe := w.client.Pipeline()
		both := pipe.Eval(t.Context(), script, []string{"{key}a", "{key}z"})
		count := pipe.Incr(t.Context(), counter)
		_, err := pipe.Exec(t.Context())
		if !goredis.HasErrorPrefix(err, "TRYAGAIN") || !errors.Is(both.Err(), err) {
			t.Errorf("keys of which only some are there: %v, %v", err, both.Err())
		}
		if n, err := count.Result(); err != nil || n != 1 {
			t.Errorf("counted %d: %v", n, err)
		}
	})
	if n, err := w.client.Incr(t.Context(), counter).Result(); err != nil || n != 2 {
		t.Errorf("counted %d: %v", n, err)
	}
}

func TestConnectionsArePublished(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	client := open(t, reg, redistest.StartServer(t).Addr())
	if err := client.Ping(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "dozaar_redis_connections" && len(f.GetMetric()) == 2 && f.GetMetric()[0].GetGauge().GetValue() == 1 {
			return // idle comes first
		}
	}
	t.Errorf("published: %v", families)
}
