package deliver

import (
	"context"
	"slices"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/relay"
	"github.com/dozaar/dozaar/schemas"
)

// rebroadcast tells stored messages to the gateways that own their rooms or their members' leases, and
// conflicts to their senders' gateways. It fails only when ctx has ended.
//
// Who was told of a message and then asks for the unread counts is to find it counted, so the word waits for the inboxes,
// which take about as long as to look the owners up. But it does not wait long: one inbox whose replicas are away keeps
// nobody from seeing the message.
func (w *messageWorker) rebroadcast(ctx context.Context, stored, conflicts []entry, inboxes <-chan struct{}) error {
	var rooms audience
	for _, e := range stored {
		rooms.add(e.ConversationID)
	}
	members, err := w.memberships(ctx, rooms.ids)
	if err != nil {
		return err
	}
	var users audience
	for _, room := range rooms.ids {
		users.add(members[room].users...)
	}
	for _, c := range conflicts {
		users.add(c.Sender.ID)
	}
	return w.tell(ctx, schemas.TopicMessages, users.ids, rooms.ids, func(o owners) []relay.Addressed {
		var out []relay.Addressed
		for _, e := range stored {
			out = append(out, messageEnvelopes(e.Message, parentOf(ctx, e), members[e.ConversationID], o)...)
		}
		for _, c := range conflicts {
			envelope := relay.Envelope{Conflict: &relay.Conflict{
				UserID: c.Sender.ID, ConversationID: c.ConversationID, ClientMessageID: c.ClientMessageID,
			}}
			out = append(out, address(envelope, o.of(nil, c.Sender.ID))...)
		}
		waitFor(ctx, inboxes)
		return out
	})
}

// inboxPatience is how long a message's word waits for the inboxes.
const inboxPatience = 100 * time.Millisecond

func waitFor(ctx context.Context, inboxes <-chan struct{}) {
	if inboxes == nil {
		return
	}
	patience := time.NewTimer(inboxPatience)
	defer patience.Stop()
	select {
	case <-inboxes:
	case <-patience.C:
	case <-ctx.Done():
	}
}

// messageEnvelopes is one envelope for each gateway that has the room or a member: the room's sockets get
// the message, those of the members named in Notify that are not in the room a notification.
func messageEnvelopes(m chat.Message, parent string, to membership, o owners) []relay.Addressed {
	others := slices.DeleteFunc(slices.Clone(to.users), func(u chat.ID) bool { return u == m.Sender.ID })
	gateways := o.of([]chat.ID{m.ConversationID}, others...)
	notify := o.leases(others)
	out := make([]relay.Addressed, len(gateways))
	for i, gateway := range gateways {
		out[i] = relay.Addressed{Gateway: gateway, Envelope: relay.Envelope{
			Message: &relay.Message{Message: m, Revision: to.revision, Notify: notify[gateway], Trace: parent},
		}}
	}
	return out
}
