package deliver

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/kafka"
	"github.com/dozaar/dozaar/pkg/relay"
	"github.com/dozaar/dozaar/schemas"
)

// breakage is one rule left out. The workers stay as they are; what they meet, or what is done with them,
// is what a worker without the rule would make of it.
type breakage struct {
	rule                    string
	harm                    string             // what the rule is there to prevent, in the words of the model
	port                    func(simPort) port // nil: an honest one
	lastHeadWins            bool               // heads by the time of their writing, not by seq
	lastMarkWins            bool
	memoryAcrossJumps       bool
	memoryAcrossAssignments bool
	forgetAtOnce            bool // at a jump, without waiting for what is before it
	twoAtOnce               bool // a conversation's records go beside each other
	commitFirst             bool
	commitHighest           bool
	commitUnfinished        bool
	sameEpoch               bool // a topic that was made anew is taken for the old one
}

// What the rules are there to prevent, as the model calls it.
const (
	shownTwice  = "messages, but"
	misnumbered = "which it is not"
	twoForOne   = "is written from"
	gap         = "is missing"
)

// enough is how many histories may pass before a rule's absence is noticed.
const enough = 5000

// TestModelNoticesEveryMissingRule plays histories in which one rule is left out until one goes wrong. A rule
// whose absence goes unnoticed is either none, or the model does not test it.
func TestModelNoticesEveryMissingRule(t *testing.T) {
	shared := newMetrics(nil)
	for _, broken := range []breakage{
		{rule: "the by-id table is asked", harm: shownTwice, port: func(p simPort) port { return idsNotAsked{p} }},
		{rule: "by-id rows are stored before the commit", harm: shownTwice, port: func(p simPort) port { return idsLater{p} }},
		{rule: "only a lower position makes a duplicate", harm: misnumbered, port: func(p simPort) port { return anyPositionIsLower{p} }},
		{rule: "a head at a higher position is no base", harm: twoForOne, port: func(p simPort) port { return anyHeadIsLower{p} }},
		{rule: "where the head is higher the rows tell the base", harm: twoForOne, port: func(p simPort) port { return rowsNotAsked{p} }},
		{rule: "memory ends at a jump", harm: twoForOne, memoryAcrossJumps: true},
		{rule: "at a jump all before it is finished first", harm: twoForOne, forgetAtOnce: true},
		{rule: "a conversation goes one slice after the other", harm: twoForOne, twoAtOnce: true},
		{rule: "memory ends with the assignment", harm: twoForOne, memoryAcrossAssignments: true},
		{rule: "a recreated topic gets an epoch", harm: twoForOne, sameEpoch: true},
		{rule: "rows before heads", harm: gap, port: func(p simPort) port { return headsFirst{p} }},
		{rule: "a failed write is repeated", harm: gap, port: func(p simPort) port { return failureForgotten{p} }},
		{rule: "the greatest seq is the head", harm: "the head of", lastHeadWins: true},
		{rule: "the greatest seq is the mark", harm: "the mark of", lastMarkWins: true},
		{rule: "stored before told", harm: "told before it is stored", port: func(p simPort) port { return &toldFirst{simPort: p} }},
		{rule: "owners are looked up after storing", harm: "never told", port: func(p simPort) port { return &ownersFirst{simPort: p} }},
		{rule: "done before committed", harm: "committed", commitFirst: true},
		{rule: "the lowest that is not done is committed", harm: "committed", commitHighest: true},
		{rule: "inboxes follow before the commit", harm: "the inboxes have heard", port: func(p simPort) port { return inboxesLater{p} }},
		{rule: "inboxes follow the head", harm: "past the head", port: func(p simPort) port { return inboxesFirst{p} }},
		{rule: "what was not done is not committed", harm: "committed", commitUnfinished: true},
		{rule: "a dead letter is waited for", harm: "not in the dead letters", port: func(p simPort) port { return burialForgotten{p} }},
		{rule: "published before the commit", harm: "is not published", port: func(p simPort) port { return publishedLater{p} }},
		{rule: "a failed publication is repeated", harm: "is not published", port: func(p simPort) port { return publicationForgotten{p} }},
		{rule: "stored before published", harm: "published before it is stored", port: func(p simPort) port { return publishedFirst{p} }},
		{rule: "published in the order of numbers", harm: "out of order", port: func(p simPort) port { return publishedBackwards{p} }},
		{rule: "a conversation is published one slice after the other", harm: "out of order", port: func(p simPort) port { return publishedLater{p} }},
		{rule: "a registry that is away is no poison", harm: twoForOne, port: func(p simPort) port { return awayIsPoison{p} }},
		{rule: "what is refused follows from the bytes alone", harm: twoForOne, port: func(p simPort) port { return unknownIsPoison{p} }},
	} {
		t.Run(broken.rule, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				play := rapid.Custom(func(t *rapid.T) error { return history(t, broken, shared) })
				for seed := range enough {
					if err := play.Example(seed); err != nil {
						t.Logf("noticed in history %d: %v", seed, err)
						return
					}
				}
				t.Errorf("%d histories without this rule, and nothing was wrong in any", enough)
			})
		})
	}
}

type idsNotAsked struct{ simPort }

func (p idsNotAsked) StoredByID(ctx context.Context, ids []chat.ID) (map[chat.ID]chat.StoredID, error) {
	_, err := p.simPort.StoredByID(ctx, ids)
	return nil, err
}

type anyPositionIsLower struct{ simPort }

func (p anyPositionIsLower) StoredByID(ctx context.Context, ids []chat.ID) (map[chat.ID]chat.StoredID, error) {
	rows, err := p.simPort.StoredByID(ctx, ids)
	for id, row := range rows {
		row.Position = chat.Position{}
		rows[id] = row
	}
	return rows, err
}

type anyHeadIsLower struct{ simPort }

func (p anyHeadIsLower) Heads(ctx context.Context, conversations []chat.ID) (map[chat.ID]chat.Head, error) {
	heads, err := p.simPort.Heads(ctx, conversations)
	for id, head := range heads {
		head.Position = chat.Position{}
		heads[id] = head
	}
	return heads, err
}

type rowsNotAsked struct{ simPort }

func (p rowsNotAsked) LastBefore(context.Context, chat.ID, chat.Position) (int64, error) {
	return 0, nil
}

type headsFirst struct{ simPort }

func (p headsFirst) PutMessages(ctx context.Context, messages []chat.StoredMessage) error {
	for _, m := range messages {
		head := chat.Head{ConversationID: m.ConversationID, Seq: m.Seq, Position: m.Position, ActivityAt: m.CreatedAt}
		if err := p.PutHeads(ctx, []chat.Head{head}); err != nil {
			return err
		}
	}
	return p.simPort.PutMessages(ctx, messages)
}

// idsLater writes the by-id rows some time after the messages.
type idsLater struct{ simPort }

func (p idsLater) PutMessages(_ context.Context, messages []chat.StoredMessage) error {
	var rows []func()
	for _, m := range messages {
		rows = append(rows, func() { p.w.store.writeRow(m) })
		p.w.store.ghosts = append(p.w.store.ghosts, func() { p.w.store.writeID(m) })
	}
	return p.write("put messages", messages[0].ConversationID.String(), rows)
}

// inboxesLater writes the inboxes some time after the heads.
type inboxesLater struct{ simPort }

func (p inboxesLater) PutInboxes(_ context.Context, heads []chat.Head) error {
	p.w.store.ghosts = append(p.w.store.ghosts, p.w.store.inboxWrites(heads)...)
	return nil
}

// inboxesFirst writes the inboxes before the heads.
type inboxesFirst struct{ simPort }

func (p inboxesFirst) PutHeads(ctx context.Context, heads []chat.Head) error {
	if err := p.PutInboxes(ctx, heads); err != nil {
		return err
	}
	return p.simPort.PutHeads(ctx, heads)
}

type failureForgotten struct{ simPort }

func (p failureForgotten) PutMessages(ctx context.Context, messages []chat.StoredMessage) error {
	err := p.simPort.PutMessages(ctx, messages)
	if p.dead {
		return err
	}
	return nil
}

// toldFirst stores what it was given when it has been told.
type toldFirst struct {
	simPort
	behind []func()
}

func (p *toldFirst) PutMessages(_ context.Context, messages []chat.StoredMessage) error {
	p.behind = append(p.behind, p.w.store.messageWrites(messages)...)
	return nil
}

func (p *toldFirst) PutHeads(_ context.Context, heads []chat.Head) error {
	p.behind = append(p.behind, p.w.store.headWrites(heads)...)
	return nil
}

func (p *toldFirst) Send(ctx context.Context, envelopes []relay.Addressed) error {
	err := p.simPort.Send(ctx, envelopes)
	for _, write := range p.behind {
		write()
	}
	p.behind = nil
	return err
}

// ownersFirst answers with the owners as they were when the last slice began.
type ownersFirst struct {
	simPort
	byConversation map[chat.ID][]string
}

func (p *ownersFirst) StoredByID(ctx context.Context, ids []chat.ID) (map[chat.ID]chat.StoredID, error) {
	rows, err := p.simPort.StoredByID(ctx, ids)
	_, p.byConversation = p.w.owners()
	return rows, err
}

func (p *ownersFirst) Owners(ctx context.Context, users, conversations []chat.ID) (byUser, byConversation map[chat.ID][]string, err error) {
	byUser, _, err = p.simPort.Owners(ctx, users, conversations)
	return byUser, p.byConversation, err
}

type burialForgotten struct{ simPort }

func (p burialForgotten) DeadLetter(ctx context.Context, r kafka.Record, why error) error {
	err := p.simPort.DeadLetter(ctx, r, why)
	if p.dead {
		return err
	}
	return nil
}

// publishedLater does not wait for Kafka, neither with what follows nor with the commit.
type publishedLater struct{ simPort }

func (p publishedLater) PublishStored(_ context.Context, messages []kafka.Stored) error {
	p.w.store.ghosts = append(p.w.store.ghosts, func() { p.w.topic.append(messages) })
	return nil
}

type publicationForgotten struct{ simPort }

func (p publicationForgotten) PublishStored(ctx context.Context, messages []kafka.Stored) error {
	err := p.simPort.PublishStored(ctx, messages)
	if p.dead {
		return err
	}
	return nil
}

// publishedFirst publishes what is about to be stored.
type publishedFirst struct{ simPort }

func (p publishedFirst) PutMessages(ctx context.Context, messages []chat.StoredMessage) error {
	stored := make([]kafka.Stored, len(messages))
	for i, m := range messages {
		stored[i].Message = m.Message
	}
	if err := p.PublishStored(ctx, stored); err != nil {
		return err
	}
	return p.simPort.PutMessages(ctx, messages)
}

type publishedBackwards struct{ simPort }

func (p publishedBackwards) PublishStored(ctx context.Context, messages []kafka.Stored) error {
	slices.Reverse(messages)
	return p.simPort.PublishStored(ctx, messages)
}

type awayIsPoison struct{ simPort }

func (p awayIsPoison) DecodeMessage(value []byte) (chat.Message, error) {
	m, err := p.simPort.DecodeMessage(value)
	if err != nil {
		return m, fmt.Errorf("%w: %w", schemas.ErrPoison, err)
	}
	return m, nil
}

// unknownIsPoison refuses messages of conversations that do not exist, which is true today only.
type unknownIsPoison struct{ simPort }

func (p unknownIsPoison) DecodeMessage(value []byte) (chat.Message, error) {
	m, err := p.simPort.DecodeMessage(value)
	if err == nil && !p.w.store.known[m.ConversationID] {
		return m, fmt.Errorf("%w: there is no such conversation", schemas.ErrPoison)
	}
	return m, err
}
