package load

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/dozaar/dozaar/loadtest/history"
)

// Plan is what a run does. Shares are between 0 and 1.
type Plan struct {
	Gateways []string // base URLs of one or more gateways
	Secret   []byte   // signs tokens, HS256

	Rate          float64       // messages a second over all conversations, whatever becomes of them
	Conversations int           // each has two to four devices: a buyer's, and a seller's who has four conversations
	Duration      time.Duration // 0: as long as During takes
	Zipf          float64       // above 1: the exponent by which some conversations are busier; 0: all alike
	Seed          uint64        // of all that is drawn but the ids

	Reads     float64 // share of the messages shown to others that are marked as read
	Typing    float64 // share of messages before which somebody types
	Nameless  float64 // share of messages without a client id
	Conflicts float64 // share of messages whose client id is used again for another
	Moves     float64 // a second: a device leaves a conversation and comes back
	Guests    float64 // a second: a guest is made a member or removed; every fifth conversation has one
	Looks     float64 // a second: a user reads a page of history
	Cuts      float64 // a second: a connection is cut

	Settle  time.Duration // how long to wait for everything to come to rest while nothing gets any further
	History string        // the file to write
	Check   history.Options
	// During runs beside the load, such as to make faults, and is waited for before anything settles. It may note what
	// it does. May be nil.
	During func(ctx context.Context, note func(string)) error
	Out    io.Writer // a line of progress every five seconds; may be nil
}

// DefaultPlan is a run of a minute with something of everything but cuts.
func DefaultPlan() Plan {
	return Plan{
		Rate: 100, Conversations: 50, Duration: time.Minute, Seed: 1,
		Reads: 0.2, Typing: 0.1, Nameless: 0.02, Conflicts: 0.005, Moves: 2, Guests: 0.5, Looks: 1, Settle: time.Minute, History: "history",
	}
}

func (p *Plan) validate() error {
	switch {
	case len(p.Gateways) == 0:
		return errors.New("no gateway")
	case len(p.Secret) == 0:
		return errors.New("no secret to sign tokens with")
	case p.Rate <= 0 || p.Conversations <= 0 || p.Duration < 0 || p.Duration == 0 && p.During == nil:
		return errors.New("rate, conversations and duration must be above 0")
	case p.Zipf != 0 && p.Zipf <= 1:
		return errors.New("zipf must be above 1, or 0")
	}
	if p.Out == nil {
		p.Out = io.Discard
	}
	return nil
}

// Result is what came of a run.
type Result struct {
	Verdict history.Verdict `json:"verdict"`
	Latency Latency         `json:"latency"`
}
