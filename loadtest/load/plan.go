package load

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/dozaar/dozaar/loadtest/history"
)

// Plan is what a run does. Shares are between 0 and 1. Where it has no words here, Flags has them.
type Plan struct {
	Target Target

	Seed          uint64
	Conversations int
	Members       int
	Devices       int
	Sellers       int
	SellerZipf    float64
	Open          int
	Idle          int
	Connects      float64

	Rate     float64
	Duration time.Duration // 0: as long as During takes
	Warm     time.Duration
	Zipf     float64
	Size     int
	Burst    Burst
	Storm    Storm
	Deploy   time.Duration                                // between two gateways that are started again
	Restart  func(ctx context.Context, gateway int) error // ends one and starts it again; the first is 0. May be nil where Deploy is 0
	Slow     float64
	Speed    int64

	Reads, Typing, Nameless, Conflicts float64
	Moves, Guests, Looks, Cuts         float64

	Settle  time.Duration
	Inboxes int
	History string // the file to write
	Check   history.Options
	// During runs beside the load, such as to make faults, and is waited for before anything settles. It may note what
	// it does. May be nil.
	During func(ctx context.Context, note func(string)) error
	// Enough ends the load when it is closed; what there is then is settled, read back and judged. May be nil.
	Enough <-chan struct{}
	// Processes are looked at while the load is measured, by name, beside this one. May be nil.
	Processes map[string]Process
	Out       io.Writer // progress; may be nil
}

// Burst is a time of more messages, again and again.
type Burst struct {
	Every, For time.Duration
	Times      float64
}

// Storm is a moment at which many connections are lost at once, again and again.
type Storm struct {
	Every time.Duration
	Share float64 // of all that are up
}

// DefaultPlan is a run of a minute with something of everything but what is built to hurt.
func DefaultPlan() Plan {
	return Plan{
		Seed: 1, Conversations: 50, Members: 2, Devices: 2, Open: 50, Connects: 200, Rate: 100, Duration: time.Minute,
		Storm: Storm{Share: 1}, Speed: 2000,
		Reads: 0.2, Typing: 0.1, Nameless: 0.02, Conflicts: 0.005, Moves: 2, Guests: 0.5, Looks: 1, Settle: time.Minute, History: "history",
	}
}

// Flags are the plan's, each with what it has now as default. A scenario has the same names.
func (p *Plan) Flags(f *flag.FlagSet) {
	f.Uint64Var(&p.Seed, "seed", p.Seed, "of all that is drawn but the ids")
	f.IntVar(&p.Conversations, "conversations", p.Conversations, "conversations, each of buyers and a seller")
	f.IntVar(&p.Members, "members", p.Members, "members of a conversation, the seller among them")
	f.IntVar(&p.Devices, "devices", p.Devices, "most devices of a user; each has at least one")
	f.IntVar(&p.Sellers, "sellers", p.Sellers, "sellers; 0: one for every four conversations")
	f.Float64Var(&p.SellerZipf, "seller-zipf", p.SellerZipf, "above 1: the exponent by which some sellers have more conversations; 0: all have as many")
	f.IntVar(&p.Open, "open", p.Open, "most conversations that a device has open; of others it is notified")
	f.IntVar(&p.Idle, "idle", p.Idle, "devices of users who are in no conversation: they are there, and do nothing")
	f.Float64Var(&p.Connects, "connects", p.Connects, "a second: devices that are started, before the load begins")

	f.Float64Var(&p.Rate, "rate", p.Rate, "messages a second, over all conversations, whatever becomes of them")
	f.DurationVar(&p.Duration, "duration", p.Duration, "for how long messages are sent")
	f.DurationVar(&p.Warm, "warm", p.Warm, "how much of that is over before anything is measured; it is judged like the rest")
	f.Float64Var(&p.Zipf, "zipf", p.Zipf, "above 1: the exponent by which some conversations are busier; 0: all alike")
	f.IntVar(&p.Size, "size", p.Size, "characters that each text has more than it would have")
	f.DurationVar(&p.Burst.Every, "burst-every", p.Burst.Every, "bursts begin this far apart; 0: there are none")
	f.DurationVar(&p.Burst.For, "burst-for", p.Burst.For, "how long a burst is")
	f.Float64Var(&p.Burst.Times, "burst-times", p.Burst.Times, "how many times the messages of other times come in a burst")

	f.Float64Var(&p.Reads, "reads", p.Reads, "share of the messages shown to others that are marked as read")
	f.Float64Var(&p.Typing, "typing", p.Typing, "share of the messages before which somebody types")
	f.Float64Var(&p.Nameless, "nameless", p.Nameless, "share of the messages without a client id")
	f.Float64Var(&p.Conflicts, "conflicts", p.Conflicts, "share of the messages whose client id is used twice")
	f.Float64Var(&p.Moves, "moves", p.Moves, "a second: devices that leave a conversation and come back, or open another one")
	f.Float64Var(&p.Guests, "guests", p.Guests, "a second: changes of members; every fifth conversation has a guest")
	f.Float64Var(&p.Looks, "looks", p.Looks, "a second: pages of history that users read")
	f.Float64Var(&p.Cuts, "cuts", p.Cuts, "a second: connections that are cut")

	f.DurationVar(&p.Storm.Every, "storm-every", p.Storm.Every, "this far apart many connections are cut at once; 0: never")
	f.Float64Var(&p.Storm.Share, "storm-share", p.Storm.Share, "share of the connections that is cut then")
	f.DurationVar(&p.Deploy, "deploy-every", p.Deploy, "this far apart the gateways are started again, one after the other, each once; 0: never")
	f.Float64Var(&p.Slow, "slow", p.Slow, "share of the buyers' devices that read slowly and send nothing; how long they wait is not counted")
	f.Int64Var(&p.Speed, "slow-speed", p.Speed, "bytes a second that such a device reads, until the load is over")

	f.DurationVar(&p.Settle, "settle", p.Settle, "how long to wait for everything to come to rest while nothing gets any further")
	f.IntVar(&p.Inboxes, "inboxes", p.Inboxes, "users whose inbox is read at the end; 0: all of them")
	f.BoolVar(&p.Check.ConflictsMayBeLost, "conflicts-may-be-lost", p.Check.ConflictsMayBeLost, "nobody needs to be told of a conflict after the acknowledgement, as where Redis was killed")
}

func (p *Plan) validate() error {
	switch {
	case p.Target == nil || len(p.Target.Gateways()) == 0:
		return errors.New("no gateway")
	case p.Rate <= 0 || p.Conversations <= 0 || p.Duration < 0 || p.Duration == 0 && p.During == nil:
		return errors.New("rate, conversations and duration must be above 0")
	case p.Inboxes < 0:
		return errors.New("inboxes must not be below 0")
	case p.Members < 2 || p.Devices < 1 || p.Open < 1 || p.Connects <= 0:
		return errors.New("members must be two or more; devices, open and connects above 0")
	case badExponent(p.Zipf) || badExponent(p.SellerZipf):
		return errors.New("zipf and seller-zipf must be above 1, or 0")
	case p.Duration > 0 && p.Warm >= p.Duration:
		return errors.New("all of the load would be over before anything is measured: warm must be less than duration")
	case p.Burst.Every > 0 && (p.Burst.For <= 0 || p.Burst.For > p.Burst.Every || p.Burst.Times <= 0):
		return errors.New("a burst must have burst-times above 0, and be over before the next one: burst-for")
	case p.Deploy > 0 && p.Restart == nil:
		return errors.New("--deploy-every needs --restart, which says how a gateway is started again")
	case p.Slow > 0 && p.Speed <= 0:
		return errors.New("slow devices read something: slow-speed must be above 0")
	}
	if p.Out == nil {
		p.Out = io.Discard
	}
	return p.inRange()
}

// mostASecond bounds what is asked for in a second: more than any machine does.
const mostASecond = 1e6

func (p *Plan) inRange() error {
	for _, n := range []struct {
		name        string
		is          float64
		least, most float64
	}{
		{"rate", p.Rate, 0, mostASecond},
		{"connects", p.Connects, 0, mostASecond},
		{"moves", p.Moves, 0, mostASecond},
		{"guests", p.Guests, 0, mostASecond},
		{"looks", p.Looks, 0, mostASecond},
		{"cuts", p.Cuts, 0, mostASecond},
		{"burst-times", p.Burst.Times, 0, mostASecond},
		{"zipf", p.Zipf, 0, 100},
		{"seller-zipf", p.SellerZipf, 0, 100},
		{"reads", p.Reads, 0, 1},
		{"typing", p.Typing, 0, 1},
		{"nameless", p.Nameless, 0, 1},
		{"conflicts", p.Conflicts, 0, 1},
		{"slow", p.Slow, 0, 1},
		{"storm-share", p.Storm.Share, 0, 1},
		{"idle", float64(p.Idle), 0, mostASecond},
		{"size", float64(p.Size), 0, mostASecond},
		{"warm", p.Warm.Seconds(), 0, math.Inf(1)},
	} {
		if !(n.is >= n.least && n.is <= n.most) { //nolint:staticcheck // so that what is no number is refused
			return fmt.Errorf("%s must be between %g and %g", n.name, n.least, n.most)
		}
	}
	return nil
}

func badExponent(z float64) bool { return z != 0 && z <= 1 }

// rate is how many messages a second are due at a time of the load.
func (p *Plan) rate(since time.Duration) float64 {
	if b := p.Burst; b.Every > 0 && since%b.Every >= b.Every-b.For { // at the end of each stretch: the load does not begin with one
		return p.Rate * b.Times
	}
	return p.Rate
}
