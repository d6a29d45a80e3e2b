package deliver

import (
	"context"
	"slices"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/relay"
)

// owners are the gateways to which users and rooms belong at this moment.
type owners struct {
	byUser, byConversation map[chat.ID][]string
}

// of lists the gateways of some rooms and users, each once.
func (o owners) of(conversations []chat.ID, users ...chat.ID) []string {
	var gateways []string
	for _, c := range conversations {
		gateways = union(gateways, o.byConversation[c])
	}
	for _, u := range users {
		gateways = union(gateways, o.byUser[u])
	}
	return gateways
}

// leases lists, by gateway, which of some users are there.
func (o owners) leases(users []chat.ID) map[string][]chat.ID {
	at := map[string][]chat.ID{}
	for _, u := range users {
		for _, g := range o.byUser[u] {
			at[g] = append(at[g], u)
		}
	}
	return at
}

func union(gateways, more []string) []string {
	for _, g := range more {
		if !slices.Contains(gateways, g) {
			gateways = append(gateways, g)
		}
	}
	return gateways
}

func address(e relay.Envelope, gateways []string) []relay.Addressed {
	out := make([]relay.Addressed, len(gateways))
	for i, g := range gateways {
		out[i] = relay.Addressed{Gateway: g, Envelope: e}
	}
	return out
}

// audience collects ids, of users for the most part, each once.
type audience struct {
	ids  []chat.ID
	seen map[chat.ID]bool
}

func (a *audience) add(users ...chat.ID) {
	if a.seen == nil {
		a.seen = map[chat.ID]bool{}
	}
	for _, u := range users {
		if !a.seen[u] {
			a.seen[u] = true
			a.ids = append(a.ids, u)
		}
	}
}

// tell looks up who owns users and rooms now, everything having been stored before, and sends what write
// makes of it. Lookup and send share their way with those of others that are ready at the same moment; a
// caller that waits for one tell before the next keeps its order. A failure repeats both. After
// Config.RelayPatience it gives up and has every gateway notice: what was lost is in the store, and they read
// their rooms' heads again. Only ctx ending is an error.
func (d *Deliver) tell(ctx context.Context, topic string, users, rooms []chat.ID, write func(owners) []relay.Addressed) error {
	if len(users)+len(rooms) == 0 {
		return nil
	}
	err := d.tryFor(ctx, d.RelayPatience, "rebroadcast", func(ctx context.Context) error {
		now, err := d.lookups.ask(ctx, users, rooms)
		if err != nil {
			return err
		}
		envelopes := write(now)
		if len(envelopes) == 0 || ctx.Err() != nil {
			return ctx.Err()
		}
		return d.Sender.Send(ctx, envelopes)
	})
	if err == nil || ctx.Err() != nil {
		return err
	}
	d.Sender.Lost()
	d.metrics.rebroadcastFailures.WithLabelValues(topic).Inc()
	if d.complaints.due("rebroadcast given up", d.Clock()) {
		d.log.WarnContext(ctx, "rebroadcasts are given up; the rooms heal from the store", "topic", topic, "error", err)
	}
	return nil
}
