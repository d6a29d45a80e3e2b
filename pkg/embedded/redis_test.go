package embedded

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

func TestRedis(t *testing.T) {
	server, err := StartRedis()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	if !strings.HasPrefix(server.Addr(), "127.0.0.1:") {
		t.Errorf("it listens on %s", server.Addr())
	}
	client := redis.NewClient(&redis.Options{Addr: server.Addr(), Protocol: 2, DisableIdentity: true})
	defer client.Close()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- server.Run(ctx) }()

	before := time.Now().Truncate(time.Microsecond)
	there, err := client.Time(ctx).Result()
	if err != nil {
		t.Fatal(err)
	}
	if there.Before(before) || there.After(time.Now()) {
		t.Errorf("its TIME is %v, ours %v", there, before)
	}

	started := time.Now()
	if err := client.Set(ctx, "short", 1, 300*time.Millisecond).Err(); err != nil {
		t.Fatal(err)
	}
	client.Set(ctx, "long", 1, time.Hour)
	client.Set(ctx, "for ever", 1, 0)
	for client.Exists(ctx, "short").Val() == 1 {
		if time.Since(started) > 20*time.Second {
			t.Fatal("a key does not end")
		}
		time.Sleep(10 * time.Millisecond)
	}
	if lived := time.Since(started); lived < 200*time.Millisecond {
		t.Errorf("a key of 300 ms ended after %v", lived)
	}
	if left := client.PTTL(ctx, "long").Val(); left > time.Hour-100*time.Millisecond || left < 59*time.Minute {
		t.Errorf("a key of an hour has %v left after %v", left, time.Since(started))
	}
	if client.Exists(ctx, "long", "for ever").Val() != 2 {
		t.Error("keys ended early")
	}
	cancel()
	if err := <-ended; err != nil {
		t.Errorf("Run: %v", err)
	}
}
