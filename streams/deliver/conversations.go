package deliver

import (
	"context"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/kafka"
	"github.com/dozaar/dozaar/pkg/relay"
	"github.com/dozaar/dozaar/schemas"
)

// conversationWorker delivers chat.conversations. The change itself is stored already; this spreads the word,
// so that it takes effect at once. Where the word is lost, the age limit of what others remember brings it.
type conversationWorker struct{ *Deliver }

func (w conversationWorker) process(ctx context.Context, batch []kafka.Record) error {
	w.metrics.batchRecords.WithLabelValues(schemas.TopicConversations).Observe(float64(len(batch)))
	events, err := siftAll(ctx, w.Deliver, kind[chat.ConversationEvent]{
		decode: w.Decoder.DecodeConversationEvent,
		key:    func(e chat.ConversationEvent) chat.ID { return e.Conversation.ID },
		check:  checkConversationEvent,
	}, batch)
	if err != nil {
		return err
	}
	var rooms, users audience
	for _, e := range events {
		w.members.drop(e.value.Conversation.ID)
		rooms.add(e.value.Conversation.ID)
		users.add(concerned(e.value)...)
	}
	return w.tell(ctx, schemas.TopicConversations, users.ids, rooms.ids, func(o owners) []relay.Addressed {
		var out []relay.Addressed
		for _, e := range events {
			gateways := o.of([]chat.ID{e.value.Conversation.ID}, concerned(e.value)...)
			out = append(out, address(relay.Envelope{Members: membersOf(e.value)}, gateways)...)
		}
		return out
	})
}

// concerned are the users to whom the event makes a difference, beyond those in the room.
func concerned(e chat.ConversationEvent) []chat.ID {
	if e.Change != chat.Created {
		return []chat.ID{e.UserID}
	}
	users := make([]chat.ID, len(e.Conversation.Members))
	for i, m := range e.Conversation.Members {
		users[i] = m.UserID
	}
	return users
}

func membersOf(e chat.ConversationEvent) *relay.Members {
	m := &relay.Members{ConversationID: e.Conversation.ID, Revision: e.Conversation.Revision}
	switch e.Change {
	case chat.MemberPut:
		m.Added = e.UserID
	case chat.MemberRemoved:
		m.Removed = e.UserID
	}
	return m
}
