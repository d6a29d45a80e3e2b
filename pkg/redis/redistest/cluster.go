package redistest

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/dozaar/dozaar/pkg/redis"
)

// Cluster is three masters with a replica each.
type Cluster struct {
	t testing.TB

	Nodes []*Server // the first three began as masters, each with a third of the slots
}

const slots = 16384

// StartCluster starts a cluster for the duration of the test, and waits until every node knows all slots
// and every replica follows: a failover would succeed.
func StartCluster(t testing.TB) *Cluster {
	t.Helper()
	c := &Cluster{t: t}
	for range 6 {
		c.Nodes = append(c.Nodes, startNode(t))
	}
	for i, node := range c.Nodes[:3] {
		c.must(node, "CLUSTER", "ADDSLOTSRANGE", slots*i/3, slots*(i+1)/3-1)
	}
	c.meet()
	for i, node := range c.Nodes[3:] {
		await(t, "a replica knows its master", func() bool {
			return c.do(node, "CLUSTER", "REPLICATE", c.id(c.Nodes[i])).Err() == nil
		})
	}
	for _, node := range c.Nodes[3:] {
		follows(t, node)
	}
	await(t, "all slots are served", func() bool {
		return c.all(func(info map[string]string) bool { return info["cluster_state"] == "ok" && info["cluster_size"] == "3" })
	})
	await(t, "all nodes list the replicas", func() bool {
		for _, node := range c.Nodes {
			if list := c.do(node, "CLUSTER", "NODES").String(); strings.Count(list, "slave ") != 3 {
				return false
			}
		}
		return true
	})
	return c
}

// meet makes the nodes know each other. On a busy machine a first meeting may come to nothing.
func (c *Cluster) meet() {
	c.t.Helper()
	host, port, _ := net.SplitHostPort(c.Nodes[0].Addr())
	var asked time.Time
	await(c.t, "the nodes know each other", func() bool {
		if time.Since(asked) > 3*time.Second {
			asked = time.Now()
			for _, node := range c.Nodes[1:] {
				c.must(node, "CLUSTER", "MEET", host, port, busOf(c.Nodes[0]))
			}
		}
		return c.all(func(info map[string]string) bool { return info["cluster_known_nodes"] == "6" })
	})
}

// startNode starts one whose bus has a port of its own: by default it is the server's port and 10,000, which
// may be taken or too high.
func startNode(t testing.TB) *Server {
	t.Helper()
	_, bus, _ := net.SplitHostPort(freeAddr(t))
	return startServer(t, "--cluster-enabled", "yes", "--cluster-port", bus, "--cluster-node-timeout", "1500",
		"--repl-diskless-sync-delay", "0", "--repl-ping-replica-period", "1")
}

func busOf(s *Server) string { return s.args[slices.Index(s.args, "--cluster-port")+1] }

// Config is how a client finds the cluster.
func (c *Cluster) Config() redis.Config {
	return redis.Config{Cluster: true, Addrs: addrs(c.Nodes)}
}

// Client opens a client for the duration of the test.
func (c *Cluster) Client() goredis.UniversalClient {
	c.t.Helper()
	return open(c.t, c.Config())
}

// MasterOf is the node that serves a key, in the eyes of most.
func (c *Cluster) MasterOf(key string) *Server {
	c.t.Helper()
	slot := int64(Slot(key))
	votes := map[string]int{}
	for _, asked := range c.Nodes {
		ctx, cancel := context.WithTimeout(c.t.Context(), time.Second)
		ranges, _ := c.node(asked).Do(ctx, "CLUSTER", "SLOTS").Slice()
		cancel()
		for _, r := range ranges { // first slot, last slot, master (host, port, …), replicas
			if r, ok := r.([]any); ok && len(r) > 2 && r[0].(int64) <= slot && slot <= r[1].(int64) {
				master := r[2].([]any)
				votes[fmt.Sprintf("%v:%v", master[0], master[1])]++
			}
		}
	}
	for _, node := range c.Nodes {
		if votes[node.Addr()] > len(c.Nodes)/2 {
			return node
		}
	}
	c.t.Fatalf("the nodes disagree on who serves %q: %v", key, votes)
	return nil
}

// Replicas are the nodes that follow another one.
func (c *Cluster) Replicas(of *Server) (replicas []*Server) {
	c.t.Helper()
	id := c.id(of)
	for _, node := range c.Nodes {
		if node != of && strings.Contains(c.do(of, "CLUSTER", "REPLICAS", id).String(), node.Addr()+"@") {
			replicas = append(replicas, node)
		}
	}
	return replicas
}

// AwaitFailover waits until another node than old serves what old served, and the cluster serves everything.
func (c *Cluster) AwaitFailover(old *Server, key string) {
	c.t.Helper()
	await(c.t, "a failover", func() bool {
		ready := 0
		for _, node := range c.Nodes {
			if node == old {
				continue
			}
			info := c.do(node, "CLUSTER", "INFO").String()
			list := c.do(node, "CLUSTER", "NODES").String()
			if strings.Contains(info, "cluster_state:ok") && !servesSlots(list, old.Addr()) {
				ready++
			}
		}
		return ready >= 4
	})
	if c.MasterOf(key) == old {
		c.t.Fatal("the old master still serves")
	}
}

// servesSlots says whether a list of nodes gives slots to an address.
func servesSlots(list, addr string) bool {
	for line := range strings.Lines(list) {
		fields := strings.Fields(line)
		if at := slices.IndexFunc(fields, func(f string) bool { return strings.HasPrefix(f, addr+"@") }); at >= 0 {
			return len(fields) > at+7
		}
	}
	return false
}

// AwaitReplica waits until a node that is back follows a master.
func (c *Cluster) AwaitReplica(node *Server) {
	c.t.Helper()
	follows(c.t, node)
}

// MoveSlot gives a key's slot to another node, as `redis-cli --cluster reshard` does it. During is called when
// the first half of the slot's keys, by name, is at the new node already.
func (c *Cluster) MoveSlot(key string, to *Server, during func()) {
	c.t.Helper()
	slot, from := Slot(key), c.MasterOf(key)
	c.must(to, "CLUSTER", "SETSLOT", slot, "IMPORTING", c.id(from))
	c.must(from, "CLUSTER", "SETSLOT", slot, "MIGRATING", c.id(to))
	host, port, _ := net.SplitHostPort(to.Addr())
	for half := true; ; half = false {
		keys, err := c.node(from).ClusterGetKeysInSlot(c.t.Context(), slot, 1000).Result()
		if err != nil {
			c.t.Fatal(err)
		}
		if slices.Sort(keys); half {
			keys = keys[:(len(keys)+1)/2]
		}
		for _, k := range keys {
			c.must(from, "MIGRATE", host, port, k, 0, 5000)
		}
		if half {
			during()
			continue
		}
		if len(keys) == 0 {
			break
		}
	}
	owner := c.id(to)
	c.must(to, "CLUSTER", "SETSLOT", slot, "NODE", owner)
	c.must(from, "CLUSTER", "SETSLOT", slot, "NODE", owner)
	for _, node := range c.Nodes[:3] {
		_ = c.do(node, "CLUSTER", "SETSLOT", slot, "NODE", owner).Err() // one that became a replica refuses
	}
}

func (c *Cluster) id(node *Server) string {
	c.t.Helper()
	id, err := c.do(node, "CLUSTER", "MYID").Text()
	if err != nil {
		c.t.Fatal(err)
	}
	return id
}

// all says whether the condition holds for what each node says of the cluster.
func (c *Cluster) all(condition func(info map[string]string) bool) bool {
	for _, node := range c.Nodes {
		text, _ := c.do(node, "CLUSTER", "INFO").Text()
		if !condition(fields(text)) {
			return false
		}
	}
	return true
}

func (c *Cluster) node(s *Server) *goredis.Client { return direct(c.t, s) }

func (c *Cluster) do(s *Server, args ...any) *goredis.Cmd {
	ctx, cancel := context.WithTimeout(c.t.Context(), 6*time.Second)
	defer cancel()
	return c.node(s).Do(ctx, args...)
}

func (c *Cluster) must(s *Server, args ...any) {
	c.t.Helper()
	if err := c.do(s, args...).Err(); err != nil {
		c.t.Fatalf("%s: %v", strings.TrimSpace(fmt.Sprintln(args...)), err)
	}
}

// fields reads "name:value" lines.
func fields(text string) map[string]string {
	m := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			m[name] = value
		}
	}
	return m
}

// Slot is the hash slot of a key, by the cluster specification: CRC-16/XMODEM of the part in braces, if any.
func Slot(key string) int {
	if start := strings.IndexByte(key, '{'); start >= 0 {
		if end := strings.IndexByte(key[start+1:], '}'); end > 0 {
			key = key[start+1 : start+1+end]
		}
	}
	var crc uint16
	for i := range len(key) {
		crc ^= uint16(key[i]) << 8
		for range 8 {
			if crc&0x8000 != 0 {
				crc = crc<<1 ^ 0x1021
			} else {
				crc <<= 1
			}
		}
	}
	return int(crc) % slots
}
