package redis_test

import (
	"context"
	"strings"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/dozaar/dozaar/pkg/redis"
	"github.com/dozaar/dozaar/pkg/redis/redistest"
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

// What answers a PING and is not what the settings say is told, and by what setting.
func TestReadyAsksWhatItIs(t *testing.T) {
	single, sentinel, node := redistest.StartServer(t), redistest.StartSentinel(t), redistest.StartClusterOfOne(t)
	master := sentinel.Master()
	replica := sentinel.Replicas(master)[0]
	for name, c := range map[string]struct {
		cfg     redis.Config
		refused bool
		says    string // "": ready
	}{
		"a server":                   {redis.Config{Addrs: []string{single.Addr()}}, false, ""},
		"a master":                   {redis.Config{Addrs: []string{master.Addr()}}, false, ""},
		"a master, by its Sentinels": {sentinel.Config(), false, ""},
		"a cluster":                  {redis.Config{Addrs: []string{node.Addr()}, Cluster: true}, false, ""},
		"a replica":                  {redis.Config{Addrs: []string{replica.Addr()}}, false, "replica"},
		"a Sentinel":                 {redis.Config{Addrs: sentinel.Config().Addrs[:1]}, true, "DOZAAR_REDIS_MASTER"},
		"a cluster's node":           {redis.Config{Addrs: []string{node.Addr()}}, true, "DOZAAR_REDIS_CLUSTER"},
		"no cluster":                 {redis.Config{Addrs: []string{single.Addr()}, Cluster: true}, true, "cluster support disabled"},
		"an unknown master":          {redis.Config{Addrs: sentinel.Config().Addrs, MasterName: "other"}, false, "no Sentinel knows the master"},
		"no Sentinel":                {redis.Config{Addrs: []string{single.Addr()}, MasterName: "m"}, true, "SENTINEL"},
	} {
		reg := prometheus.NewRegistry()
		c.cfg.Registerer = reg
		client, err := redis.Open(c.cfg)
		if err != nil {
			t.Fatal(err)
		}
		err = redis.Ready(t.Context(), client)
		if up := gather(t, reg, "dozaar_redis_up"); c.cfg.MasterName != "" && (up == 1) != (err == nil) {
			t.Errorf("%s: up is %v: %v", name, up, err)
		}
		if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) || redis.Refused(err) != c.refused {
			t.Errorf("%s: %v, refused: %t", name, err, redis.Refused(err))
		}
		_ = client.Close()
	}
}
