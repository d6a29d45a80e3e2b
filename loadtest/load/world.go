package load

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/dozaar/dozaar/loadtest/client"
	"github.com/dozaar/dozaar/loadtest/history"
)

// atOnce is how many requests of the HTTP API are on their way at the same time.
const atOnce = 8

// connectsPerSecond is how fast devices are started, which no gateway should mind.
const connectsPerSecond = 200

// run is one run.
type run struct {
	Plan
	api           *api
	writer        *history.Writer
	stats         client.Stats
	conversations []*conversation
	users         []*user
	devices       []*client.Device
	texts         atomic.Int64 // numbers what is sent
}

type user struct {
	newMember
	devices       []*client.Device
	conversations []*conversation
}

// conversation is between a buyer and a seller; some have a guest.
type conversation struct {
	id      uuid.UUID
	members []*user
	senders []*client.Device // of its members
	guest   *guest
}

// guest is a member at times.
type guest struct {
	*user
	conversation *conversation

	mu     sync.Mutex // one change at a time
	in     bool       // as far as we were told
	unsure bool       // the last change was not answered: it may have been made
}

// sellersConversations is how many conversations a seller has.
const sellersConversations = 4

// world makes up users, conversations and devices; nobody else knows of them yet.
func (r *run) world() {
	random := rand.New(rand.NewPCG(r.Seed, 1))
	var seller *user
	for i := range r.Conversations {
		if i%sellersConversations == 0 {
			seller = r.user(fmt.Sprintf("seller%d", i/sellersConversations), 1+random.IntN(2))
		}
		c := &conversation{id: uuid.New()}
		c.add(r.user(fmt.Sprintf("buyer%d", i), 1+random.IntN(2)))
		c.add(seller)
		if r.Guests > 0 && i%5 == 0 {
			c.guest = &guest{user: r.user(fmt.Sprintf("guest%d", i), 1), conversation: c}
			c.guest.conversations = append(c.guest.conversations, c)
		}
		r.conversations = append(r.conversations, c)
	}
}

func (c *conversation) add(u *user) {
	c.members = append(c.members, u)
	u.conversations = append(u.conversations, c)
	c.senders = append(c.senders, u.devices...)
}

// user makes a user, each device of which begins at another gateway.
func (r *run) user(name string, devices int) *user {
	u := &user{newMember: newMember{uuid.New(), name}}
	for i := range devices {
		n := len(r.devices)
		gateways := append(append([]string{}, r.Gateways[n%len(r.Gateways):]...), r.Gateways[:n%len(r.Gateways)]...)
		d := client.New(client.Config{
			Name: fmt.Sprintf("%s.%d", name, i+1), User: u.UserID, Gateways: gateways, HTTP: r.api.http,
			Token:  func() string { return r.api.token(u.UserID, name, "") },
			Record: r.writer.Record, Stats: &r.stats, Seed: r.Seed + uint64(n), OnShown: r.shown,
		})
		u.devices = append(u.devices, d)
		r.devices = append(r.devices, d)
	}
	r.users = append(r.users, u)
	return u
}

// shown lets a device mark some of what others sent. Which is told by the message's id.
func (r *run) shown(d *client.Device, m client.Stored) {
	if m.SenderID != d.User && float64(m.ID[15])/256 < r.Reads {
		d.Mark(m.ConversationID, m.ID, m.Seq)
	}
}

// create makes the conversations.
func (r *run) create(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for _, c := range r.conversations {
		group.Go(func() error {
			members := make([]newMember, len(c.members))
			for i, u := range c.members {
				members[i] = u.newMember
				r.writer.Record(history.Event{Kind: history.Admitting, Conversation: c.id, User: u.UserID})
			}
			if err := r.api.create(ctx, c.id, members); err != nil {
				return fmt.Errorf("make a conversation: %w", err)
			}
			for _, u := range c.members {
				r.writer.Record(history.Event{Kind: history.Admitted, Conversation: c.id, User: u.UserID, Outcome: history.OK})
			}
			return nil
		})
	}
	return group.Wait()
}

// start lets every device run, and waits until the members' are in their conversations.
func (r *run) start(ctx context.Context, devices *errgroup.Group) error {
	for _, c := range r.conversations {
		for _, d := range c.senders {
			d.Join(c.id)
		}
	}
	pace := time.NewTicker(time.Second / connectsPerSecond)
	defer pace.Stop()
	for _, d := range r.devices {
		devices.Go(func() error { return d.Run(ctx) })
		<-pace.C
	}
	deadline := time.Now().Add(r.Settle)
	for _, d := range r.devices {
		for why := d.Busy(); why != ""; why = d.Busy() {
			if time.Now().After(deadline) {
				return fmt.Errorf("%s did not get ready: %s", d.Name, why)
			}
			select {
			case <-ctx.Done():
				return context.Cause(ctx)
			case <-time.After(20 * time.Millisecond):
			}
		}
	}
	return nil
}
