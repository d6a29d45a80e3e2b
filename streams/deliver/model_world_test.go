package deliver

import (
	"fmt"
	"log/slog"
	"strings"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/relay"
)

// simWorld is a log, a store, gateways, and the consumers that are at work, and keeps the first thing
// that went wrong.
type simWorld struct {
	broken  breakage
	logger  *slog.Logger
	metrics *metrics

	log       *simLog
	store     *simStore
	topic     *simTopic
	committed int64
	consumers []*simConsumer // those that live

	conversations []chat.ID
	members       []chat.Member // of every conversation; the first has a socket at g0, the second at g1
	fromTheStart  map[chat.ID]bool
	rooms         []*simRoom

	buried          map[chat.Position]bool // dead letters
	told            map[told]bool
	excused         map[chat.ID]int64 // up to this number, a conversation's rebroadcasts may have been given up
	excusedConflict map[chat.ID]bool  // by user

	err error
}

// simRoom is a conversation's room at a gateway. It is registered, then it reads the head.
type simRoom struct {
	conversation chat.ID
	gateway      string
	read         bool
	head         int64
}

// told is an envelope that reached its gateway: a message, or a conflict where a client id is set.
type told struct {
	gateway, kind string
	conversation  chat.ID
	seq           int64
	user, client  chat.ID
}

func toldOf(a relay.Addressed) told {
	if c := a.Envelope.Conflict; c != nil {
		return told{gateway: a.Gateway, kind: "conflict", conversation: c.ConversationID, user: c.UserID, client: c.ClientMessageID}
	}
	m := a.Envelope.Message
	return told{gateway: a.Gateway, kind: "message", conversation: m.ConversationID, seq: m.Seq}
}

func newSimWorld(broken breakage, shared *metrics) *simWorld {
	w := &simWorld{
		broken: broken, logger: slog.New(slog.DiscardHandler), metrics: shared, log: newSimLog(),
		conversations: []chat.ID{simID('c', 1), simID('c', 2), simID('c', 3)},
		members: []chat.Member{
			{UserID: simID('a', 1), Username: "ann"},
			{UserID: simID('a', 2), Username: "bob"},
		},
		fromTheStart: map[chat.ID]bool{}, buried: map[chat.Position]bool{}, told: map[told]bool{},
		excused: map[chat.ID]int64{}, excusedConflict: map[chat.ID]bool{},
	}
	w.store = newSimStore(w.log, broken, w.fail)
	w.topic = newSimTopic(w.log, w.store, w.fail)
	return w
}

// fail keeps what went wrong first. Where a rule is left out on purpose, only the harm counts that the rule
// is there to prevent.
func (w *simWorld) fail(format string, args ...any) {
	err := fmt.Errorf(format, args...)
	if w.err == nil && strings.Contains(err.Error(), w.broken.harm) {
		w.err = err
	}
}

// commit moves the committed offset, back as well as forth, and checks that all below it is done.
func (w *simWorld) commit(offset int64) {
	w.committed = offset
	for _, e := range w.log.entries {
		if !e.record.Position.Before(w.log.at(offset)) {
			return
		}
		if missing := w.store.missing(e); missing != "" {
			w.fail("committed %v, but of the record at %v %s", w.log.at(offset), e.record.Position, missing)
		}
		if heard := w.store.inboxes[e.message.ConversationID]; heard < e.seq {
			w.fail("committed %v, but of the record at %v the inboxes have heard of %d only", w.log.at(offset), e.record.Position, heard)
		}
		if published := w.topic.lasts[e.message.ConversationID]; published < e.seq {
			w.fail("committed %v, but the record at %v is not published, only up to %d", w.log.at(offset), e.record.Position, published)
		}
		if e.refused && !w.buried[e.record.Position] {
			w.fail("committed %v, but the record at %v is not in the dead letters", w.log.at(offset), e.record.Position)
		}
	}
}

// owners are the gateways as Redis knows them now.
func (w *simWorld) owners() (byUser, byConversation map[chat.ID][]string) {
	byConversation = map[chat.ID][]string{}
	for _, r := range w.rooms {
		byConversation[r.conversation] = append(byConversation[r.conversation], r.gateway)
	}
	return map[chat.ID][]string{w.members[0].UserID: {"g0"}, w.members[1].UserID: {"g1"}}, byConversation
}

// heal is what comes of a rebroadcast that was given up: all rooms read their heads again. A conflict is lost.
func (w *simWorld) heal() {
	for c, head := range w.store.heads {
		w.excused[c] = max(w.excused[c], head.Seq)
	}
	for _, m := range w.members {
		w.excusedConflict[m.UserID] = true
	}
}

// checkStored holds an envelope against the store at the moment it is sent.
func (w *simWorld) checkStored(a relay.Addressed) {
	m := a.Envelope.Message
	if m == nil {
		return
	}
	e, numbered := w.log.entry(m.ConversationID, m.Seq)
	if !numbered || e.message.ID != m.ID {
		w.fail("message %v is told as number %d, which it is not", m.ID, m.Seq)
		return
	}
	if missing := w.store.missing(e); missing != "" {
		w.fail("message %v is told before it is stored: %s", m.ID, missing)
	}
	for _, u := range m.Notify {
		if u == m.Sender.ID {
			w.fail("the sender of message %v is notified of it", m.ID)
		}
	}
}

// check compares what is there after everything with what the sequential reader made of the log.
func (w *simWorld) check() {
	w.checkHistory()
	w.checkTold()
}

func (w *simWorld) checkHistory() {
	numbered := 0
	for _, e := range w.log.entries {
		at := e.record.Position
		if missing := w.store.missing(e); missing != "" {
			w.fail("in the end, of the record at %v %s", at, missing)
		}
		if e.refused != w.buried[at] {
			w.fail("the record at %v: refused %t, in the dead letters %t", at, e.refused, w.buried[at])
		}
		if e.seq > 0 {
			numbered++
		}
		if published := w.topic.lasts[e.message.ConversationID]; published < e.seq {
			w.fail("in the end the record at %v is not published, only up to %d", at, published)
		}
	}
	if len(w.store.rows) != numbered || len(w.store.byID) != numbered {
		w.fail("there are %d messages, but %d rows and %d by-id rows", numbered, len(w.store.rows), len(w.store.byID))
	}
	for c, last := range w.log.lasts {
		e, _ := w.log.entry(c, last)
		if head := w.store.heads[c]; head.Seq != last || head.Position != e.record.Position {
			w.fail("the head of %v is %d at %v, not %d at %v", c, head.Seq, head.Position, last, e.record.Position)
		}
	}
	for who, seq := range w.log.marks {
		if mark := w.store.marks[who]; mark != seq {
			w.fail("the mark of %v in %v is %d, not %d", who.user, who.conversation, mark, seq)
		}
	}
}

// checkTold wants every message at the other member's gateway and in every room that did not read it
// itself, and every conflict at its sender's, unless Redis was away for too long.
func (w *simWorld) checkTold() {
	want := func(t told) {
		if !w.told[t] {
			w.fail("never told %s: %s %d of conversation %v", t.gateway, t.kind, t.seq, t.conversation)
		}
	}
	gateways, _ := w.owners()
	for _, e := range w.log.entries {
		m := e.message
		if e.conflict && !w.excusedConflict[m.Sender.ID] {
			want(told{
				gateway: gateways[m.Sender.ID][0], kind: "conflict",
				conversation: m.ConversationID, user: m.Sender.ID, client: m.ClientMessageID,
			})
		}
		if e.seq <= w.excused[m.ConversationID] {
			continue
		}
		message := told{kind: "message", conversation: m.ConversationID, seq: e.seq}
		for _, member := range w.members {
			if w.fromTheStart[m.ConversationID] && member.UserID != m.Sender.ID {
				message.gateway = gateways[member.UserID][0]
				want(message)
			}
		}
		for _, r := range w.rooms {
			if r.conversation == m.ConversationID && r.read && e.seq > r.head {
				message.gateway = r.gateway
				want(message)
			}
		}
	}
}
