package deliver

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/kafka"
	"github.com/dozaar/dozaar/schemas"
)

func (o *outside) event(offset int64, e chat.ConversationEvent) kafka.Record {
	o.t.Helper()
	value, err := o.EncodeConversationEvent(e)
	return o.recordOf(schemas.TopicConversations, offset, e.Conversation.ID, value, err)
}

func TestConversationEvents(t *testing.T) {
	now := chat.Conversation{ID: deal, Members: []chat.Member{ann, bob}, Revision: 4, CreatedAt: simTime}
	for _, c := range []struct {
		change chat.Change
		user   chat.ID
		want   []string
	}{
		{chat.Created, chat.ID{}, []string{"room 4", "ann 4", "bob 4"}},
		{chat.MemberPut, bob.UserID, []string{"room 4 + bob", "bob 4 + bob"}},
		{chat.MemberRemoved, cyd.UserID, []string{"room 4 - cyd", "cyd 4 - cyd"}},
		{"member_muted", bob.UserID, []string{"room 4", "bob 4"}},
	} {
		t.Run(string(c.change), func(t *testing.T) {
			o := newOutside(t)
			o.byConversation[deal] = []string{"room"}
			for _, m := range []chat.Member{ann, bob, cyd} {
				o.byUser[m.UserID] = []string{m.Username}
			}
			e := chat.ConversationEvent{Change: c.change, Conversation: now, UserID: c.user, At: simTime}
			o.process(o.deliver().Worker(schemas.TopicConversations, 0), o.event(0, e))
			var got []string
			for _, a := range o.sent {
				m := a.Envelope.Members
				text := fmt.Sprintf("%s %d", a.Gateway, m.Revision)
				for _, name := range names([]chat.ID{m.Added}) {
					text += " + " + name
				}
				for _, name := range names([]chat.ID{m.Removed}) {
					text += " - " + name
				}
				got = append(got, text)
				if m.ConversationID != deal {
					t.Errorf("conversation %v", m.ConversationID)
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("told %q, want %q", got, c.want)
			}
		})
	}
}

// A change of members takes effect with its event, or without it once what is remembered is too old.
func TestMembersAreForgotten(t *testing.T) {
	for _, c := range []struct {
		name    string
		between func(o *outside, d *Deliver)
		want    int // how often bob is notified
	}{
		{"nothing happens", func(*outside, *Deliver) {}, 2},
		{"the event", func(o *outside, d *Deliver) {
			e := chat.ConversationEvent{Change: chat.MemberRemoved, Conversation: chat.Conversation{ID: deal}, UserID: bob.UserID, At: simTime}
			o.process(d.Worker(schemas.TopicConversations, 5), o.event(0, e))
		}, 1},
		{"almost four seconds", func(o *outside, _ *Deliver) { o.pass(4*time.Second - time.Millisecond) }, 2},
		{"four seconds", func(o *outside, _ *Deliver) { o.pass(4 * time.Second) }, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := newOutside(t)
			o.converse(deal, ann, bob)
			o.byUser[bob.UserID] = []string{"g1"}
			d := o.deliver()
			w := d.Worker(schemas.TopicMessages, 0)
			o.process(w, o.record(0, says(1, deal, ann, 0, "hello")))
			if _, err := o.RemoveMember(t.Context(), deal, bob.UserID); err != nil {
				t.Fatal(err)
			}
			c.between(o, d)
			o.process(w, o.record(1, says(2, deal, ann, 0, "still there?")))
			notified := 0
			for _, a := range o.sent {
				if m := a.Envelope.Message; m != nil && slices.Contains(m.Notify, bob.UserID) {
					notified++
				}
			}
			if notified != c.want {
				t.Errorf("notified %d times, want %d", notified, c.want)
			}
		})
	}
}

// The age of what is remembered counts from before it was read: what changes during a slow read is not
// held back any longer.
func TestASlowReadIsOldAtOnce(t *testing.T) {
	o := newOutside(t)
	o.converse(deal, ann, bob)
	d := o.deliver()
	o.onCall = func(call string) {
		if call == "Conversation" {
			o.pass(5 * time.Second)
		}
	}
	for range 2 {
		if _, err := d.memberships(t.Context(), []chat.ID{deal}); err != nil {
			t.Fatal(err)
		}
	}
	if want := []string{"Conversation", "Conversation"}; !slices.Equal(o.calls, want) {
		t.Errorf("calls %v, want %v", o.calls, want)
	}
}
