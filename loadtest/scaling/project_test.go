package main

import (
	"math"
	"strings"
	"testing"
)

// TestDerive: costs that are put into outcomes come out again.
func TestDerive(t *testing.T) {
	want := costs{
		GatewayMessage: 100e-6, GatewayDelivery: 10e-6, GatewaySocket: 1e-6, SocketBytes: 20_000, DeliverMessage: 200e-6, DeliverMember: 5e-6,
		KafkaMessage: 50e-6, StoreMessage: 300e-6, StoreMember: 40e-6, RedisMessage: 15e-6, RedisSocket: 2e-6,
	}
	const idle = 0.05 // cores that each kind uses whatever happens
	var all []result
	for _, s := range allSeries() {
		r := result{s, map[int]outcome{}}
		for _, v := range s.values {
			p := s.at(v)
			members, sockets := float64(p.members), float64(p.idle)
			o := outcome{seconds: 20, messages: 20 * p.rate, deliveries: 20 * p.rate * members, bytes: map[string]float64{"gateway": 50e6 + sockets*want.SocketBytes}}
			base := idle
			if s.name == byMembers {
				base = 0 // what is there without a message is not in this series' slope
			}
			o.cores = map[string]float64{
				"gateway":   base + p.rate*(want.GatewayMessage+members*want.GatewayDelivery) + sockets*want.GatewaySocket,
				"deliver":   base + p.rate*(want.DeliverMessage+members*want.DeliverMember),
				"kafka":     base + p.rate*want.KafkaMessage,
				"cassandra": base + p.rate*(want.StoreMessage+members*want.StoreMember),
				"redis":     base + p.rate*want.RedisMessage + sockets*want.RedisSocket,
			}
			r.outcomes[v] = o
		}
		all = append(all, r)
	}
	got := derive(all)
	for _, pair := range [][2]float64{
		{got.GatewayMessage, want.GatewayMessage}, {got.GatewayDelivery, want.GatewayDelivery}, {got.GatewaySocket, want.GatewaySocket}, {got.SocketBytes, want.SocketBytes},
		{got.DeliverMessage, want.DeliverMessage}, {got.DeliverMember, want.DeliverMember}, {got.KafkaMessage, want.KafkaMessage},
		{got.StoreMessage, want.StoreMessage}, {got.StoreMember, want.StoreMember}, {got.RedisMessage, want.RedisMessage}, {got.RedisSocket, want.RedisSocket},
	} {
		if math.Abs(pair[0]-pair[1]) > pair[1]*1e-6 {
			t.Errorf("%+v; want %+v", got, want)
			break
		}
	}
}

func TestProject(t *testing.T) {
	c := costs{GatewayMessage: 100e-6, GatewayDelivery: 10e-6, SocketBytes: 40 << 10, DeliverMessage: 200e-6, KafkaMessage: 100e-6, StoreMessage: 400e-6, RedisMessage: 50e-6}
	m := typical
	m.messages, m.sockets, m.devices = 20_000, 1_000_000, 1
	// Gateways: 20,000 × (100 + 2 × 10) µs = 2.4 cores of 2 each; memory 38 GiB of 4 each: 10. One to spare.
	// Delivers: 4 cores of 2 each. Brokers: 3 × 2 cores. Nodes: 3 × 8 cores of 2 each. Redis: one core, half of it used.
	want := need{gateways: 11, delivers: 3, partitions: 64, brokers: 3, nodes: 12, shards: 2, network: 8 * 40_000 * 600, why: "memory"}
	if got := m.project(c); got != want {
		t.Errorf("%+v; want %+v", got, want)
	}
	m.messages, m.sockets = 1, 1
	if got := m.project(c); got.gateways != 2 || got.delivers != 2 || got.brokers != 3 || got.nodes != 3 || got.shards != 1 || got.why != "CPU" {
		t.Errorf("the smallest has two of what has no state, three of what has: %+v", got)
	}
	if text := projections(c); strings.Count(text, "\n") != 8 || !strings.Contains(text, "| 1,000 | 50,000 |") {
		t.Error(text)
	}
}

func TestWhatCannotBeProjectedIsRefused(t *testing.T) {
	good := typical
	if err := good.check(); err != nil {
		t.Error(err)
	}
	for name, spoil := range map[string]func(*market){
		"fewer than no messages": func(m *market) { m.messages = -5 }, "no use": func(m *market) { m.use = 0 }, "no number": func(m *market) { m.sockets = math.NaN() },
		"more than a core": func(m *market) { m.use = 2 },
	} {
		bad := typical
		if spoil(&bad); bad.check() == nil {
			t.Errorf("%s is taken", name)
		}
	}
}
