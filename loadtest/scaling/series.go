package main

// point is one size of everything.
type point struct {
	gateways, delivers, partitions int
	conversations, members         int // each member has one device
	idle                           int // devices of users without a conversation
	rate                           float64
}

// base is what each series goes out from.
var base = point{gateways: 2, delivers: 1, partitions: 64, conversations: 500, members: 2, rate: 200}

// deliveries a second that the series of members holds constant.
const deliveries = 2000

// series is points that differ in one thing.
type series struct {
	name   string
	values []int
	set    func(p *point, value int)
}

// The series' names.
const (
	byRate          = "messages a second"
	bySockets       = "silent sockets"
	byMembers       = "members of a conversation"
	byConversations = "conversations"
	byGateways      = "gateways"
	byDelivers      = "delivers"
	byPartitions    = "partitions"
)

func allSeries() []series {
	return []series{
		{byRate, []int{50, 200, 400, 800}, func(p *point, v int) { p.rate = float64(v) }},
		{bySockets, []int{0, 2_000, 10_000}, func(p *point, v int) { p.idle, p.rate, p.conversations = v, 20, 50 }},
		{byConversations, []int{50, 500, 5_000}, func(p *point, v int) { p.conversations = v }},
		{byGateways, []int{1, 2, 4}, func(p *point, v int) { p.gateways = v }},
		{byDelivers, []int{1, 2, 4}, func(p *point, v int) { p.delivers = v }},
		{byMembers, []int{2, 10, 100, 1_000, 10_000}, func(p *point, v int) {
			p.members, p.conversations, p.rate = v, max(1, 1_000/v), deliveries/float64(v)
		}}, // late: for minutes after ten thousand have gone everybody is told of it
		{byPartitions, []int{12, 64, 240}, func(p *point, v int) { p.partitions = v }},
	}
}

// at is the point of a series at a value.
func (s series) at(value int) point {
	p := base
	s.set(&p, value)
	return p
}
