package load

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/dozaar/dozaar/loadtest/bench"
	"github.com/dozaar/dozaar/loadtest/client"
	"github.com/dozaar/dozaar/loadtest/history"
)

// arrive calls do at random times, so many a second on average, whatever do takes, until ctx ends. due is when the
// call should have been made; perSecond may change with the time since the beginning.
func arrive(ctx context.Context, perSecond func(since time.Duration) float64, random *rand.Rand, do func(due time.Time)) {
	began := time.Now()
	for due := began; ; {
		rate := perSecond(due.Sub(began))
		if rate <= 0 {
			return
		}
		due = due.Add(time.Duration(random.ExpFloat64() / rate * float64(time.Second)))
		if bench.SleepUntil(ctx, due); ctx.Err() != nil {
			return
		}
		do(due)
	}
}

// steady is a rate that does not change.
func steady(perSecond float64) func(time.Duration) float64 {
	return func(time.Duration) float64 { return perSecond }
}

// load lets everything happen that people do, until ctx ends.
func (r *run) load(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		r.storms(ctx)
		return nil
	})
	group.Go(func() error { return r.roll(ctx) })
	for i, kind := range []struct {
		rate func(since time.Duration) float64
		do   func(*rand.Rand, *errgroup.Group) func(time.Time)
	}{
		{r.rate, r.sends},
		{steady(r.Moves), func(random *rand.Rand, group *errgroup.Group) func(time.Time) {
			return func(time.Time) { r.move(ctx, random, group) }
		}},
		{steady(r.Guests), func(random *rand.Rand, group *errgroup.Group) func(time.Time) {
			return func(time.Time) { r.host(ctx, random, group) }
		}},
		{steady(r.Looks), func(random *rand.Rand, group *errgroup.Group) func(time.Time) {
			return func(time.Time) { r.look(ctx, random, group) }
		}},
		{steady(r.Cuts), func(random *rand.Rand, _ *errgroup.Group) func(time.Time) {
			return func(time.Time) { r.devices[random.IntN(len(r.devices))].Cut() }
		}},
	} {
		group.Go(func() error {
			random := rand.New(rand.NewPCG(r.Seed, uint64(i+2)))
			arrive(ctx, kind.rate, random, kind.do(random, group))
			return nil
		})
	}
	return group.Wait()
}

// sends lets a device of some conversation send something.
func (r *run) sends(random *rand.Rand, _ *errgroup.Group) func(time.Time) {
	pick := func() int { return random.IntN(len(r.conversations)) }
	if r.Zipf > 1 {
		zipf := rand.NewZipf(random, r.Zipf, 1, uint64(len(r.conversations)-1))
		pick = func() int { return int(zipf.Uint64()) }
	}
	return func(due time.Time) {
		r.meter.Late(time.Since(due))
		c, d := r.present(random, pick)
		if random.Float64() < r.Typing {
			d.Typing(c.id, true)
		}
		m := client.Message{Conversation: c.id, Client: uuid.New(), Due: due}
		if random.Float64() < r.Nameless {
			m.Client = uuid.Nil
		}
		m.Text, m.Attachments = r.text(random)
		d.Send(m)
		if m.Client != uuid.Nil && random.Float64() < r.Conflicts {
			m.Text, m.Attachments = r.text(random)
			d.Send(m)
		}
	}
}

// present draws a conversation and a device that has not left it: who left sends nothing, and who waited for one to
// come back would measure that. Only where everybody has left everything it is one who has.
func (r *run) present(random *rand.Rand, pick func() int) (c *conversation, d *client.Device) {
	for range 100 {
		c = r.conversations[pick()]
		for _, i := range random.Perm(len(c.senders)) {
			if d = c.senders[i]; d.Wants(c.id) {
				return c, d
			}
		}
	}
	return c, d
}

// fillers make texts longer, in what people write.
var fillers = []string{"Is it still available? ", "Можно завтра? ", "最低いくらですか。", "👍🏽 ", "<b>no</b> ", "\"quoted\" \\ and \u2028 ", "נעים מאוד ", "a\u0000b "}

// text is a text that nobody else sends, short as a rule and long at times.
func (r *run) text(random *rand.Rand) (text string, attachments []string) {
	n := r.texts.Add(1)
	times := random.IntN(6)
	if random.IntN(200) == 0 {
		times = random.IntN(300)
	}
	if random.IntN(20) == 0 {
		attachments = []string{fmt.Sprintf("https://pictures.example/%d.jpg", n)}
	}
	return fmt.Sprintf("%d ", n) + strings.Repeat(fillers[random.IntN(len(fillers))], times) + strings.Repeat("x", r.Size), attachments
}

// look lets a user read some page of a conversation's history over HTTP, as when scrolling.
func (r *run) look(ctx context.Context, random *rand.Rand, group *errgroup.Group) {
	c := r.conversations[random.IntN(len(r.conversations))]
	u := c.members[random.IntN(len(c.members))]
	cursor, _, _ := u.devices[0].Place(c.id)
	after := random.Int64N(cursor + 1)
	group.Go(func() error {
		page, err := r.pages.Page(ctx, u.Member, c.id, after)
		if err != nil {
			return nil // nobody promises that a page can be read at any time
		}
		for _, m := range page {
			e := client.StoredEvent(m)
			e.Kind, e.User = history.Looked, u.ID
			r.record(e)
		}
		return nil
	})
}

// move lets a device leave a conversation for some seconds.
func (r *run) move(ctx context.Context, random *rand.Rand, group *errgroup.Group) {
	c := r.conversations[random.IntN(len(r.conversations))]
	d := c.senders[random.IntN(len(c.senders))]
	away := time.Duration(random.IntN(5000)) * time.Millisecond
	d.Leave(c.id, random.IntN(4) == 0)
	group.Go(func() error {
		select {
		case <-ctx.Done():
		case <-time.After(away):
		}
		d.Join(c.id)
		return nil
	})
}
