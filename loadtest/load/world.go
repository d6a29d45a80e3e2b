package load

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
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

// run is one run.
type run struct {
	Plan
	memberships Memberships // nil where the target cannot do it, as are the two below
	pages       Pages
	archive     Archive
	leftOut     []string

	http          *http.Client // for devices that read what a join did not replay
	writer        *history.Writer
	meter         *Meter
	watch         *watch
	stats         client.Stats
	conversations []*conversation
	users         []*user
	devices       []*client.Device
	texts         atomic.Int64 // numbers what is sent

	mu    sync.Mutex // guards what follows
	notes []Note
	gales []Gale
}

type user struct {
	Member
	devices       []*client.Device
	conversations []*conversation
}

// conversation is between buyers and a seller; some have a guest.
type conversation struct {
	id      uuid.UUID
	members []*user
	senders []*client.Device // of its members
	slow    []*client.Device // also of them: they read slowly, and do nothing else
	open    []*client.Device // those that have it open from the beginning
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

// sellersConversations is how many conversations a seller has where the plan does not say how many sellers there are.
const sellersConversations = 4

// abilities finds out what the target can do, and leaves out what it cannot.
func (r *run) abilities() {
	r.memberships, _ = r.Target.(Memberships)
	r.pages, _ = r.Target.(Pages)
	r.archive, _ = r.Target.(Archive)
	leave := func(what string) {
		r.leftOut = append(r.leftOut, what)
		fmt.Fprintln(r.Out, "left out, for the target cannot do it:", what)
	}
	if r.memberships == nil && r.Guests > 0 {
		r.Guests = 0
		leave("guests, who need members that change")
	}
	if r.pages == nil && r.Looks > 0 {
		r.Looks = 0
		leave("looks, which need a history to scroll through")
	}
	if r.archive == nil {
		r.Check.Unkept = true
		leave("reading everything back: what devices were shown is judged by itself")
	}
}

// world makes up users, conversations and devices; nobody else knows of them yet.
func (r *run) world() {
	random := rand.New(rand.NewPCG(r.Seed, 1))
	sellers, seller := map[int]*user{}, r.sellers()
	for i := range r.Conversations {
		n := seller(i)
		if sellers[n] == nil {
			sellers[n] = r.user(fmt.Sprintf("seller%d", n), 1+random.IntN(r.Devices))
		}
		c := &conversation{id: uuid.New()}
		for m := range r.Members - 1 {
			name := fmt.Sprintf("buyer%d", i)
			if r.Members > 2 {
				name = fmt.Sprintf("buyer%d-%d", i, m+1)
			}
			if r.Slow > 0 && random.Float64() < r.Slow {
				r.addSlow(c, name)
				continue
			}
			r.add(c, r.user(name, 1+random.IntN(r.Devices)))
		}
		r.add(c, sellers[n])
		if r.Guests > 0 && i%5 == 0 {
			c.guest = &guest{user: r.user(fmt.Sprintf("guest%d", i), 1), conversation: c}
			c.guest.conversations = append(c.guest.conversations, c)
		}
		r.conversations = append(r.conversations, c)
	}
	for i := range r.Idle {
		r.user(fmt.Sprintf("idle%d", i), 1)
	}
}

// sellers tells which seller a conversation is with.
func (r *run) sellers() func(conversation int) int {
	count := r.Sellers
	if count == 0 {
		count = (r.Conversations + sellersConversations - 1) / sellersConversations
	}
	if r.SellerZipf == 0 {
		return func(i int) int { return i * count / r.Conversations }
	}
	zipf := rand.NewZipf(rand.New(rand.NewPCG(r.Seed, 100)), r.SellerZipf, 1, uint64(count-1))
	return func(int) int { return int(zipf.Uint64()) }
}

func (r *run) add(c *conversation, u *user) {
	c.members = append(c.members, u)
	if len(u.conversations) < r.Open {
		c.open = append(c.open, u.devices...)
	}
	u.conversations = append(u.conversations, c)
	c.senders = append(c.senders, u.devices...)
}

// addSlow adds a member who reads slowly.
func (r *run) addSlow(c *conversation, name string) {
	u := r.userAt(slowly+name, 1, r.Speed)
	c.members = append(c.members, u)
	u.conversations = append(u.conversations, c)
	c.slow = append(c.slow, u.devices...)
	c.open = append(c.open, u.devices...)
}

// slowly begins the names of devices that read slowly.
const slowly = "slow-"

// user makes a user, each device of which begins at another gateway.
func (r *run) user(name string, devices int) *user { return r.userAt(name, devices, 0) }

func (r *run) userAt(name string, devices int, speed int64) *user {
	u := &user{Member: Member{uuid.New(), name}}
	all := r.Target.Gateways()
	for i := range devices {
		n := len(r.devices)
		gateways := append(append([]string{}, all[n%len(all):]...), all[:n%len(all)]...)
		d := client.New(client.Config{
			Name: fmt.Sprintf("%s.%d", name, i+1), User: u.ID, Gateways: gateways, HTTP: r.http,
			Token:  func() string { return r.Target.Token(u.Member) },
			Record: r.record, Stats: &r.stats, Seed: r.Seed + uint64(n), OnShown: r.shown, Speed: speed,
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
			members := make([]Member, len(c.members))
			for i, u := range c.members {
				members[i] = u.Member
				r.record(history.Event{Kind: history.Admitting, Conversation: c.id, User: u.ID})
			}
			if err := r.Target.Create(ctx, c.id, members); err != nil {
				return fmt.Errorf("make a conversation: %w", err)
			}
			for _, u := range c.members {
				r.record(history.Event{Kind: history.Admitted, Conversation: c.id, User: u.ID, Outcome: history.OK})
			}
			return nil
		})
	}
	return group.Wait()
}

// start lets every device run until running ends, and waits until the members' are in their conversations.
func (r *run) start(ctx, running context.Context, devices *errgroup.Group) error {
	for _, c := range r.conversations {
		for _, d := range c.open {
			d.Join(c.id)
		}
	}
	pace := time.NewTicker(time.Duration(float64(time.Second) / r.Connects))
	defer pace.Stop()
	for _, d := range r.devices {
		devices.Go(func() error { return d.Run(running) })
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-pace.C:
		}
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
