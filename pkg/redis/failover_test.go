package redis_test

import (
	"context"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	goredis "github.com/redis/go-redis/v9"

	"github.com/dozaar/dozaar/pkg/redis"
	"github.com/dozaar/dozaar/pkg/redis/redistest"
)

// set is a Redis with replicas, of either kind.
type set interface {
	Config() redis.Config
	AwaitReplica(node *redistest.Server)
}

// writes sets a key ten times a second until the test ends, as a client with the product's patience does.
type writes struct {
	client goredis.UniversalClient
	reg    *prometheus.Registry
}

func newWrites(t *testing.T, s set) writes {
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
	for range 20 { // the old master calls itself one for some seconds still
		for _, w := range all {
			if err := w.once(t); err != nil {
				t.Errorf("a master that is back disturbs: %v", err)
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	s.AwaitReplica(old)
}

func TestClusterMasterIsKilled(t *testing.T) {
	t.Parallel()
	c := redistest.StartCluster(t)
	w := newWrites(t, c)
	old := c.MasterOf("key")
	old.Kill()
	w.fails(t)
	c.AwaitFailover(old, "key")
	w.goesOn(t)
}
