package load

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/dozaar/dozaar/loadtest/client"
	"github.com/dozaar/dozaar/loadtest/history"
)

// changeWithin is how long a change of members is tried for.
const changeWithin = time.Minute

// outFor is longer than a removed member may be shown anything; knockFor is how long it then tries to join.
const (
	outFor   = 7 * time.Second
	knockFor = 2 * time.Second
)

// host makes some conversation's guest a member, or none any more.
func (r *run) host(ctx context.Context, random *rand.Rand, group *errgroup.Group) {
	guests := r.guests()
	if len(guests) == 0 {
		return
	}
	g := guests[random.IntN(len(guests))]
	if !g.mu.TryLock() {
		return // a change is under way
	}
	group.Go(func() error {
		defer g.mu.Unlock()
		changing, cancel := context.WithTimeout(context.WithoutCancel(ctx), changeWithin) // it is finished, once begun
		r.change(changing, g)
		cancel()
		if !g.in {
			r.knock(ctx, g)
		}
		return nil
	})
}

func (r *run) guests() (all []*guest) {
	for _, c := range r.conversations {
		if c.guest != nil {
			all = append(all, c.guest)
		}
	}
	return all
}

// latecomers makes every other guest a member at the end of the load, so that some have a whole conversation to catch up with. What
// was never answered is asked once more: who may be a member or not cannot be waited for.
func (r *run) latecomers(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, r.Settle)
	defer cancel()
	for i, g := range r.guests() {
		if g.unsure || i%2 == 0 && !g.in {
			r.change(ctx, g)
		}
	}
}

// knock lets a guest who is none any more wait until that must be known everywhere, send something if nobody has put it out, try to
// come back in, and go on trying for a while.
func (r *run) knock(ctx context.Context, g *guest) {
	for _, d := range g.devices {
		select {
		case <-ctx.Done():
			return
		case <-time.After(outFor):
		}
		d.Once(client.Message{Conversation: g.conversation.id, Client: uuid.New(), Text: fmt.Sprintf("%d from outside", r.texts.Add(1))})
		d.Join(g.conversation.id)
	}
	select {
	case <-ctx.Done():
	case <-time.After(knockFor):
	}
}

// change turns a guest's membership. Where the server does not answer in time it stays open what came of it,
// which the history tells by having no answer.
func (r *run) change(ctx context.Context, g *guest) {
	c := g.conversation
	tell := func(kind history.Kind, outcome history.Outcome) {
		r.record(history.Event{Kind: kind, Conversation: c.id, User: g.ID, Outcome: outcome})
	}
	if g.in {
		tell(history.Expelling, history.Unknown)
		if g.unsure = r.memberships.Expel(ctx, c.id, g.ID) != nil; !g.unsure {
			tell(history.Expelled, history.OK)
			g.in = false
		}
		return
	}
	tell(history.Admitting, history.Unknown)
	if g.unsure = r.memberships.Admit(ctx, c.id, g.Member) != nil; g.unsure {
		return
	}
	tell(history.Admitted, history.OK)
	g.in = true
	for _, d := range g.devices {
		d.Join(c.id)
	}
}
