package deliver

import (
	"context"
	"fmt"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/kafka"
	"github.com/dozaar/dozaar/pkg/relay"
)

// port is everything outside of a process.
type port interface {
	Store
	Owners
	Sender
	DeadLetters
	Publisher
	Decoder
}

// simPort is the outside as one worker meets it: each call is a step of the scheduler.
type simPort struct{ *simConsumer }

// ask is a call that reads.
func (p simPort) ask(call, key string) error {
	switch p.yield(call, key).verdict {
	case succeed, succeedTwice:
		return nil
	case die:
		return context.Cause(p.ctx)
	}
	return errSim
}

// write is a call that consists of some single writes.
func (p simPort) write(call, key string, writes []func()) error {
	o := p.yield(call, key)
	for i, write := range writes {
		fate := o.bits >> (2 * (i % 8)) & 3
		if o.verdict == succeed || o.verdict == succeedTwice || o.verdict == tear && fate == 0 {
			write()
		}
		if o.verdict == succeedTwice && fate == 0 || (o.verdict == tear || o.verdict == die) && fate == 1 {
			p.w.store.ghosts = append(p.w.store.ghosts, write)
		}
	}
	switch o.verdict {
	case succeed, succeedTwice:
		return nil
	case die:
		return context.Cause(p.ctx)
	}
	return errSim
}

func (p simPort) Conversation(_ context.Context, id chat.ID) (chat.Conversation, error) {
	if err := p.ask("conversation", id.String()); err != nil {
		return chat.Conversation{}, err
	}
	if !p.w.store.known[id] {
		return chat.Conversation{}, chat.ErrNotFound
	}
	return chat.Conversation{ID: id, Members: p.w.members}, nil
}

func (p simPort) Heads(_ context.Context, conversations []chat.ID) (map[chat.ID]chat.Head, error) {
	if err := p.ask("heads", conversations[0].String()); err != nil {
		return nil, err
	}
	return picked(p.w.store.heads, conversations), nil
}

func (p simPort) LastBefore(_ context.Context, conversation chat.ID, at chat.Position) (int64, error) {
	if err := p.ask("last before", conversation.String()); err != nil {
		return 0, err
	}
	return p.w.store.lastBefore(conversation, at), nil
}

func (p simPort) StoredByID(_ context.Context, ids []chat.ID) (map[chat.ID]chat.StoredID, error) {
	if err := p.ask("stored by id", ids[0].String()); err != nil {
		return nil, err
	}
	return picked(p.w.store.byID, ids), nil
}

func picked[V any](from map[chat.ID]V, ids []chat.ID) map[chat.ID]V {
	found := map[chat.ID]V{}
	for _, id := range ids {
		if v, there := from[id]; there {
			found[id] = v
		}
	}
	return found
}

func (p simPort) PutMessages(_ context.Context, messages []chat.StoredMessage) error {
	return p.write("put messages", messages[0].ConversationID.String(), p.w.store.messageWrites(messages))
}

func (p simPort) PutHeads(_ context.Context, heads []chat.Head) error {
	return p.write("put heads", heads[0].ConversationID.String(), p.w.store.headWrites(heads))
}

func (p simPort) PutInboxes(_ context.Context, heads []chat.Head) error {
	return p.write("put inboxes", heads[0].ConversationID.String(), p.w.store.inboxWrites(heads))
}

func (p simPort) PutReadMarks(_ context.Context, marks []chat.ReadMark) error {
	return p.write("put read marks", marks[0].ConversationID.String(), p.w.store.markWrites(marks))
}

func (p simPort) DeadLetter(_ context.Context, r kafka.Record, _ error) error {
	return p.write("dead letter", "", []func(){func() { p.w.buried[r.Position] = true }})
}

// PublishStored is carried out by a client that keeps its records' order: what is not there at once comes later, as it is,
// or, where it failed, never.
func (p simPort) PublishStored(_ context.Context, messages []kafka.Stored) error {
	o := p.yield("publish", messages[0].Message.ConversationID.String())
	now := len(messages)
	switch o.verdict {
	case fail:
		now = 0
	case tear, die:
		now = o.bits % (len(messages) + 1)
	}
	p.w.topic.append(messages[:now])
	if o.verdict == die && o.bits&(1<<15) != 0 || o.verdict == succeedTwice {
		rest := messages[now%len(messages):]
		p.w.store.ghosts = append(p.w.store.ghosts, func() { p.w.topic.append(rest) })
	}
	switch o.verdict {
	case succeed, succeedTwice:
		return nil
	case die:
		return context.Cause(p.ctx)
	}
	return errSim
}

func (simPort) BuryStored(context.Context, kafka.Stored, error) error {
	panic("the model's messages are small")
}

func (p simPort) Owners(context.Context, []chat.ID, []chat.ID) (byUser, byConversation map[chat.ID][]string, err error) {
	if err := p.ask("owners", ""); err != nil {
		return nil, nil, err
	}
	byUser, byConversation = p.w.owners()
	return byUser, byConversation, nil
}

// Send checks what is told. A failure counts as told: the sender has counted the envelopes, and the
// gateway that misses them reads the store.
func (p simPort) Send(_ context.Context, envelopes []relay.Addressed) error {
	for _, a := range envelopes {
		p.w.checkStored(a)
	}
	err := p.write("send", fmt.Sprint(toldOf(envelopes[0])), nil)
	if !p.dead {
		for _, a := range envelopes {
			p.w.told[toldOf(a)] = true
		}
	}
	return err
}

// Lost is noticed by every gateway.
func (p simPort) Lost() { p.w.heal() }

func (p simPort) DecodeMessage(value []byte) (chat.Message, error) {
	if p.mishaps > 0 {
		p.mishaps--
		return chat.Message{}, errSim
	}
	return p.w.log.decode(value)
}

func (p simPort) DecodeReceipt([]byte) (chat.Receipt, error) { panic("not a topic of this log") }

func (p simPort) DecodeConversationEvent([]byte) (chat.ConversationEvent, error) {
	panic("not a topic of this log")
}
