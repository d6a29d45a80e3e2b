package redistest

import (
	"context"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

func TestMain(m *testing.M) { VerifyNoLeaks(m) }

func TestSlot(t *testing.T) {
	t.Parallel()
	client := direct(t, StartClusterOfOne(t))
	for _, key := range []string{"", "foo", "{user1000}.following", "foo{}{bar}", "foo{{bar}}zap", "{bar", "bar}", "presence:{7}:due", "relay:a"} {
		if want := client.ClusterKeySlot(t.Context(), key).Val(); int64(Slot(key)) != want {
			t.Errorf("%q is in slot %d, want %d", key, Slot(key), want)
		}
	}
}

// A command that a busy machine has not even begun when its time is over is done all the same.
func TestUnhurried(t *testing.T) {
	client := Unhurried(t, StartMini(t))
	late, cancel := context.WithTimeout(t.Context(), -time.Second)
	defer cancel()
	if err := client.Ping(late).Err(); err != nil {
		t.Error(err)
	}
	if _, err := client.Pipelined(late, func(p goredis.Pipeliner) error { return p.Ping(late).Err() }); err != nil {
		t.Error(err)
	}
}

func TestKeysOfSeveralSlotsAreSeen(t *testing.T) {
	for _, test := range []struct {
		want bool
		args []any
	}{
		{true, []any{"evalsha", "x", 2, "presence:{1}:due", "presence:{1}:clock", "presence:{2}:not a key"}},
		{false, []any{"evalsha", "x", 2, "presence:{1}:due", "presence:{2}:clock"}},
		{false, []any{"EVAL", "x", "2", "a", "b"}},
		{true, []any{"evalsha", "x", 0, "a", "b"}},
		{false, []any{"del", "a", "b"}},
		{true, []any{"xread", "count", 1, "streams", "a", "0-0"}},
		{false, []any{"xread", "count", 1, "streams", "a", "b", "0-0", "0-0"}},
		{true, []any{"zadd", "a", 1, "b"}},
	} {
		if got := oneSlot(keysOf(test.args)); got != test.want {
			t.Errorf("%v: one slot is %v", test.args, got)
		}
	}
}

func TestTheTableOfKeys(t *testing.T) {
	table := documented(t)
	for key, want := range map[string]string{
		"gateways": "zset", "relay:gateway-1": "stream", "presence:{31}:due": "zset",
		"presence:{0}:state:b0000000-0000-4000-8000-0000000000b1": "hash", "presence:{0}:other": "", "presence:due": "", "gateways2": "",
	} {
		got := ""
		if r := find(table, key); r != nil {
			got = r.kind
		}
		if got != want {
			t.Errorf("%s is %q, want %q", key, got, want)
		}
	}
}
