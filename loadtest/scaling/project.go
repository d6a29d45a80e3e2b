package main

import (
	"flag"
	"fmt"
	"math"
	"strings"

	"github.com/dozaar/dozaar/loadtest/bench"
)

// costs are what each thing costs by itself, each the slope between two points of a series. CPU is in seconds.
type costs struct {
	GatewayMessage  float64 `json:"gatewayMessage"`  // takes a message in, and has it acknowledged
	GatewayDelivery float64 `json:"gatewayDelivery"` // shows it to one device
	GatewaySocket   float64 `json:"gatewaySocket"`   // is open for a second
	SocketBytes     float64 `json:"socketBytes"`     // of a gateway's memory
	DeliverMessage  float64 `json:"deliverMessage"`
	DeliverMember   float64 `json:"deliverMember"` // more for each member
	KafkaMessage    float64 `json:"kafkaMessage"`
	StoreMessage    float64 `json:"cassandraMessage"`
	StoreMember     float64 `json:"cassandraMember"`
	RedisMessage    float64 `json:"redisMessage"`
	RedisSocket     float64 `json:"redisSocket"` // is open for a second

	Machine []string `json:"machine"` // on which this was measured
}

// derive takes the costs from what was measured.
func derive(all []result) costs {
	by := map[string]result{}
	for _, r := range all {
		by[r.name] = r
	}
	second := func(kind string) func(outcome) (float64, float64) { // cores over messages a second
		return func(o outcome) (float64, float64) { return o.messages / o.seconds, o.cores[kind] }
	}
	rate, members, sockets := by[byRate], by[byMembers], by[bySockets]
	// Of a message among many, which the deliveries are all of: cores for each message, over members.
	member := func(kind string) float64 {
		return members.slope(1, -2, func(o outcome) (float64, float64) { return o.deliveries / o.messages, o.perMessage(kind) / 1e6 })
	}
	socket := func(of func(outcome) float64) float64 {
		few, many := sockets.ends()
		return math.Max(0, (of(sockets.outcomes[many])-of(sockets.outcomes[few]))/float64(many-few))
	}
	c := costs{
		GatewayDelivery: member("gateway"), DeliverMember: member("deliver"), StoreMember: member("cassandra"),
		GatewaySocket: socket(func(o outcome) float64 { return o.cores["gateway"] }),
		SocketBytes:   socket(func(o outcome) float64 { return o.bytes["gateway"] }),
		RedisSocket:   socket(func(o outcome) float64 { return o.cores["redis"] + o.cores["presence"] }),
		KafkaMessage:  rate.slope(0, -1, second("kafka")), RedisMessage: rate.slope(0, -1, second("redis")),
	}
	const pair = 2 // the members, and the deliveries, of a message in the series of rates
	c.GatewayMessage = math.Max(0, rate.slope(0, -1, second("gateway"))-pair*c.GatewayDelivery)
	c.DeliverMessage = math.Max(0, rate.slope(0, -1, second("deliver"))-pair*c.DeliverMember)
	c.StoreMessage = math.Max(0, rate.slope(0, -1, second("cassandra"))-pair*c.StoreMember)
	return c
}

func (r result) ends() (first, last int) { return r.values[0], r.values[len(r.values)-1] }

// slope is that between two of the series' points; a negative one is counted from the end.
func (r result) slope(from, to int, of func(outcome) (x, y float64)) float64 {
	n := len(r.values)
	from, to = min(from, n-1), max((to%n+n)%n, 0)
	if from >= to {
		from, to = 0, n-1
	}
	x1, y1 := of(r.outcomes[r.values[from]])
	x2, y2 := of(r.outcomes[r.values[to]])
	return math.Max(0, (y2-y1)/(x2-x1))
}

func (c costs) table() string {
	var out strings.Builder
	out.WriteString("| what | costs |\n|---|--:|\n")
	for _, row := range []struct {
		what  string
		value float64
		unit  string
	}{
		{"a message taken in and acknowledged, in the gateways", 1e6 * c.GatewayMessage, "µs"},
		{"a message shown to a device, in the gateways", 1e6 * c.GatewayDelivery, "µs"},
		{"a silent socket, in the gateways, for a minute", 60e6 * c.GatewaySocket, "µs"},
		{"a silent socket, in a gateway's memory", c.SocketBytes / 1024, "KiB"},
		{"a message, in deliver", 1e6 * c.DeliverMessage, "µs"},
		{"· more for each member", 1e6 * c.DeliverMember, "µs"},
		{"a message, in Kafka, one replica", 1e6 * c.KafkaMessage, "µs"},
		{"a message, in Cassandra, one replica", 1e6 * c.StoreMessage, "µs"},
		{"· more for each member", 1e6 * c.StoreMember, "µs"},
		{"a message, in Redis", 1e6 * c.RedisMessage, "µs"},
		{"a silent socket, in Redis and presence, for a minute", 60e6 * c.RedisSocket, "µs"},
	} {
		cost := fmt.Sprintf("%.1f %s", row.value, row.unit)
		if strings.HasPrefix(cost, "0.0 ") {
			cost = "too little to be seen"
		}
		fmt.Fprintf(&out, "| %s | %s |\n", row.what, cost)
	}
	return out.String()
}

// market is what is to be carried, and on what.
type market struct {
	messages, sockets  float64 // messages a second; sockets that are open
	members, devices   float64 // of a conversation; in the room, of each member
	text               float64 // bytes of a message as it goes to a device
	cores, memory      float64 // of each process and node; GiB of a gateway
	use                float64 // share of a core that is to be used
	replication, nodes float64 // of Kafka and Cassandra; the fewest of each
}

var typical = market{messages: 1_000, sockets: 50_000, members: 2, devices: 1.2, text: 600, cores: 4, memory: 8, use: 0.5, replication: 3, nodes: 3}

func (m *market) flags(f *flag.FlagSet) {
	f.Float64Var(&m.messages, "messages", m.messages, "messages a second, at the busiest time")
	f.Float64Var(&m.sockets, "sockets", m.sockets, "sockets that are open then")
	f.Float64Var(&m.members, "members", m.members, "members of a conversation")
	f.Float64Var(&m.devices, "devices", m.devices, "devices of a member that are in the room")
	f.Float64Var(&m.text, "bytes", m.text, "bytes of a message on its way to a device")
	f.Float64Var(&m.cores, "cores", m.cores, "of each process and node")
	f.Float64Var(&m.memory, "memory", m.memory, "GiB of a gateway, of which -use is used")
	f.Float64Var(&m.use, "use", m.use, "share of a core, and of memory, that is used at the busiest time")
	f.Float64Var(&m.replication, "replication", m.replication, "of Kafka and Cassandra")
}

// check refuses what nothing can be projected for.
func (m *market) check() error {
	for _, n := range []struct {
		name string
		is   float64
		zero bool // is fine
	}{
		{"messages", m.messages, true},
		{"sockets", m.sockets, true},
		{"members", m.members, false},
		{"devices", m.devices, true},
		{"bytes", m.text, true},
		{"cores", m.cores, false},
		{"memory", m.memory, false},
		{"use", m.use, false},
		{"replication", m.replication, false},
	} {
		if !(n.is >= 0) || math.IsInf(n.is, 1) || n.is == 0 && !n.zero { //nolint:staticcheck // so that what is no number is refused
			return fmt.Errorf("-%s: %g is not above 0", n.name, n.is)
		}
	}
	if m.use > 1 {
		return fmt.Errorf("-use: %g is more than a whole core", m.use)
	}
	return nil
}

// need is how much of everything a market needs.
type need struct {
	gateways, delivers, partitions, brokers, nodes, shards float64
	network                                                float64 // bits a second, to devices
	why                                                    string  // what the number of gateways follows from
}

// project sizes everything for the busiest time; one process of each kind that has no state is there to spare.
func (m market) project(c costs) need {
	shown := m.messages * m.members * m.devices
	core := m.cores * m.use
	byCPU := (m.messages*c.GatewayMessage + shown*c.GatewayDelivery + m.sockets*c.GatewaySocket) / core
	byMemory := m.sockets * c.SocketBytes / (m.memory * (1 << 30) * m.use)
	n := need{why: "CPU", network: 8 * shown * m.text}
	if byMemory > byCPU {
		n.why = "memory"
	}
	n.gateways = 1 + math.Max(1, math.Ceil(math.Max(byCPU, byMemory)))
	n.delivers = 1 + math.Max(1, math.Ceil(m.messages*(c.DeliverMessage+m.members*c.DeliverMember)/core))
	n.partitions = 64
	for n.partitions < 4*n.delivers { // each has several, so that they are shared out evenly
		n.partitions *= 2
	}
	n.brokers = math.Max(m.nodes, math.Ceil(m.replication*m.messages*c.KafkaMessage/core))
	n.nodes = math.Max(m.nodes, math.Ceil(m.replication*m.messages*(c.StoreMessage+m.members*c.StoreMember)/core))
	n.shards = math.Max(1, math.Ceil((m.messages*c.RedisMessage+m.sockets*c.RedisSocket)/m.use)) // a Redis uses one core
	return n
}

// projections are those of the page.
func projections(c costs) string {
	var all []market
	for _, size := range []struct{ messages, sockets float64 }{{100, 5_000}, {1_000, 50_000}, {10_000, 500_000}, {50_000, 3_000_000}} {
		m := typical
		m.messages, m.sockets = size.messages, size.sockets
		all = append(all, m)
	}
	return projection(all, c)
}

func projection(all []market, c costs) string {
	var out strings.Builder
	m := all[0]
	fmt.Fprintf(&out, "%g members of a conversation, %g devices of each in the room, %g bytes a message to a device; processes and nodes of %g cores, of which %.0f %% are used; gateways of %g GiB; replication %g.\n\n",
		m.members, m.devices, m.text, m.cores, 100*m.use, m.memory, m.replication)
	out.WriteString("| messages/s | sockets | gateways (by) | delivers | partitions | brokers | Cassandra nodes | Redis | to devices, Mbit/s |\n|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n")
	for _, m := range all {
		n := m.project(c)
		fmt.Fprintf(&out, "| %s | %s | %.0f (%s) | %.0f | %.0f | %.0f | %.0f | %.0f | %.0f |\n",
			bench.Thousands(int(m.messages)), bench.Thousands(int(m.sockets)), n.gateways, n.why, n.delivers, n.partitions, n.brokers, n.nodes, n.shards, n.network/1e6)
	}
	return out.String()
}
