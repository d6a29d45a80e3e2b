package redis_test

import (
	"context"
	"testing"

	"github.com/alicebob/miniredis/v2"

	"github.com/dozaar/dozaar/pkg/redis"
)

// Who is refused is told from who does not answer.
func TestReady(t *testing.T) {
	server := miniredis.RunT(t)
	server.RequireUserAuth("chat", "secret")
	away := miniredis.RunT(t)
	address := away.Addr()
	away.Close()
	for name, c := range map[string]struct {
		cfg         redis.Config
		ok, refused bool
	}{
		"let in":             {redis.Config{Addrs: []string{server.Addr()}, Username: "chat", Password: "secret"}, true, false},
		"a wrong password":   {redis.Config{Addrs: []string{server.Addr()}, Username: "chat", Password: "guess"}, false, true},
		"without a password": {redis.Config{Addrs: []string{server.Addr()}}, false, true},
		"nobody there":       {redis.Config{Addrs: []string{address}}, false, false},
	} {
		client, err := redis.Open(c.cfg)
		if err != nil {
			t.Fatal(err)
		}
		err = redis.Ready(context.Background(), client)
		if (err == nil) != c.ok || redis.Refused(err) != c.refused {
			t.Errorf("%s: %v, refused: %t", name, err, redis.Refused(err))
		}
		client.Close()
	}
}
