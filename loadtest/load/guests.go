package load

import (
	"context"
	"math/rand/v2"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/dozaar/dozaar/loadtest/history"
)

// changeWithin is how long a change of members is tried for.
const changeWithin = time.Minute

// host makes some conversation's guest a member, or none any more.
func (r *run) host(ctx context.Context, random *rand.Rand, group *errgroup.Group) {
	var guests []*guest
	for _, c := range r.conversations {
		if c.guest != nil {
			guests = append(guests, c.guest)
		}
	}
	if len(guests) == 0 {
		return
	}
	g := guests[random.IntN(len(guests))]
	if !g.mu.TryLock() {
		return // a change is under way
	}
	group.Go(func() error {
		defer g.mu.Unlock()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), changeWithin) // it is finished, once begun
		defer cancel()
		r.change(ctx, g)
		return nil
	})
}

// change turns a guest's membership. Where the server does not answer in time it stays open what came of it,
// which the history tells by having no answer.
func (r *run) change(ctx context.Context, g *guest) {
	c := g.conversation
	tell := func(kind history.Kind, outcome history.Outcome) {
		r.writer.Record(history.Event{Kind: kind, Conversation: c.id, User: g.UserID, Outcome: outcome})
	}
	if g.in {
		tell(history.Expelling, history.Unknown)
		if r.api.expel(ctx, c.id, g.UserID) == nil {
			tell(history.Expelled, history.OK)
			g.in = false
		}
		return
	}
	tell(history.Admitting, history.Unknown)
	if r.api.admit(ctx, c.id, g.newMember) != nil {
		return
	}
	tell(history.Admitted, history.OK)
	g.in = true
	for _, d := range g.devices {
		d.Join(c.id)
	}
}
