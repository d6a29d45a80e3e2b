package storetest

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/dozaar/dozaar/pkg/chat"
)

// checkRandomHistories does the same to the store and to Memory, asks both as it goes along, and everything at the end.
// rapid prints the seed of a history that fails, and shortens it.
func checkRandomHistories(t *testing.T, s Store) {
	run := chat.NewID() // no history meets another's ids, in this run or in an earlier one on the same engine
	var number uint32
	rapid.Check(t, func(r *rapid.T) {
		number++
		h := &history{ctx: t.Context(), store: s, model: NewMemory(), id: func(kind byte, n int) chat.ID {
			id := run
			copy(id[:8], run[8:]) // the random half
			binary.BigEndian.PutUint32(id[8:], number)
			id[12], id[15] = kind, byte(n)
			return id
		}}
		r.Repeat(map[string]func(*rapid.T){
			"create":  h.create,
			"put":     h.putMember,
			"remove":  h.removeMember,
			"store":   h.storeMessages,
			"head":    h.putHeads,
			"mark":    h.putMarks,
			"compare": h.compareSome,
		})
		h.compareAll(r)
	})
}

// The world of a history is small, so that its steps meet.
const (
	rooms = 4
	users = 4
	seqs  = 6
)

type history struct {
	ctx   context.Context
	store Store
	model *Memory
	id    func(kind byte, n int) chat.ID // a pure function: drawing the same gives the same
}

func (h *history) room(r *rapid.T) chat.ID {
	return h.id('c', rapid.IntRange(1, rooms).Draw(r, "room"))
}
func (h *history) user(r *rapid.T) chat.ID {
	return h.id('u', rapid.IntRange(1, users).Draw(r, "user"))
}

func (h *history) key(r *rapid.T) string {
	if n := rapid.IntRange(0, 3).Draw(r, "key"); n > 0 {
		return h.id('k', n).String()
	}
	return ""
}

func (h *history) member(r *rapid.T) chat.Member {
	return chat.Member{
		UserID:   h.user(r),
		Username: rapid.SampledFrom([]string{"ann", "bob", "\x00", "😀"}).Draw(r, "username"),
		Role:     rapid.SampledFrom([]string{"", "buyer"}).Draw(r, "role"),
	}
}

func moment(r *rapid.T) time.Time {
	return dawn().Add(time.Duration(rapid.IntRange(0, 3).Draw(r, "minute")) * time.Minute)
}

func (h *history) create(r *rapid.T) {
	c := chat.Conversation{ID: h.room(r), Key: h.key(r), Revision: 1, CreatedAt: moment(r)}
	c.Members = rapid.SliceOfNDistinct(rapid.Custom(h.member), 0, users, func(m chat.Member) chat.ID { return m.UserID }).Draw(r, "members")
	if rapid.Bool().Draw(r, "metadata") {
		c.Metadata = json.RawMessage(`{"listing": "\u0000"}`)
	}
	got, created, err := h.store.CreateConversation(h.ctx, c)
	want, wantCreated, wantErr := h.model.CreateConversation(h.ctx, c)
	agree(r, fmt.Sprintf("create %+v", c), answer{got, created, sentinel(err)}, answer{want, wantCreated, sentinel(wantErr)})
}

func (h *history) putMember(r *rapid.T) {
	room, m := h.room(r), h.member(r)
	got, err := h.store.PutMember(h.ctx, room, m)
	want, wantErr := h.model.PutMember(h.ctx, room, m)
	agree(r, fmt.Sprintf("put %+v", m), answer{got, sentinel(err)}, answer{want, sentinel(wantErr)})
}

func (h *history) removeMember(r *rapid.T) {
	room, user := h.room(r), h.user(r)
	got, err := h.store.RemoveMember(h.ctx, room, user)
	want, wantErr := h.model.RemoveMember(h.ctx, room, user)
	agree(r, "remove", answer{got, sentinel(err)}, answer{want, sentinel(wantErr)})
}

// storeMessages stores what any number of writers, right and wrong, might: any seq at any position. Only that
// one position holds one record is always so, hence body and id follow from the position.
func (h *history) storeMessages(r *rapid.T) {
	list := rapid.SliceOfN(rapid.Custom(h.message), 1, 5).Draw(r, "messages")
	agree(r, fmt.Sprintf("store %+v", list), h.store.PutMessages(h.ctx, list), h.model.PutMessages(h.ctx, list))
}

func (h *history) message(r *rapid.T) chat.StoredMessage {
	p := chat.Position{Epoch: rapid.Int32Range(0, 2).Draw(r, "epoch"), Offset: rapid.Int64Range(0, 9).Draw(r, "offset")}
	n := int(p.Epoch)*10 + int(p.Offset)
	m := chat.Message{
		// Two positions share an id, two a room: a retried message and a crowded log. A room's record is
		// always given the same seq, as numbering is a function of the log.
		ID: h.id('m', n/2), ConversationID: h.id('c', n%rooms+1), Seq: int64(n*7%seqs + 1),
		Sender: chat.User{ID: h.id('u', n%users+1), Username: "user"}, Text: fmt.Sprint("at ", p, "\x00"),
		CreatedAt: dawn().Add(time.Duration(n%5) * time.Minute),
	}
	if n%3 == 0 {
		m.ClientMessageID, m.AttachmentURLs = h.id('x', n), []string{fmt.Sprint("https://example.com/", n), "http://example.com/"}
	}
	return chat.StoredMessage{Message: m, Position: p}
}

func (h *history) putHeads(r *rapid.T) {
	heads := rapid.SliceOfN(rapid.Custom(func(r *rapid.T) chat.Head {
		seq := rapid.Int64Range(1, seqs).Draw(r, "seq") // the rest of a head follows from its seq
		return chat.Head{ConversationID: h.room(r), Seq: seq, Position: at(seq * 3), ActivityAt: dawn().Add(time.Duration(seq*5%4) * time.Minute)}
	}), 1, 4).Draw(r, "heads")
	agree(r, "heads", h.store.PutHeads(h.ctx, heads), h.model.PutHeads(h.ctx, heads))
	agree(r, "inboxes", h.store.PutInboxes(h.ctx, heads), h.model.PutInboxes(h.ctx, heads))
}

func (h *history) putMarks(r *rapid.T) {
	marks := rapid.SliceOfN(rapid.Custom(func(r *rapid.T) chat.ReadMark {
		return chat.ReadMark{ConversationID: h.room(r), UserID: h.user(r), Seq: rapid.Int64Range(1, seqs).Draw(r, "seq")}
	}), 1, 4).Draw(r, "marks")
	agree(r, "marks", h.store.PutReadMarks(h.ctx, marks), h.model.PutReadMarks(h.ctx, marks))
}

// compareSome asks both about a room and a user: enough to find in a hundred histories what goes wrong on the
// way, and cheap enough to be asked often.
func (h *history) compareSome(r *rapid.T) {
	h.compareRoom(r, h.room(r))
	h.compareUser(r, h.user(r))
}

// compareAll asks both everything.
func (h *history) compareAll(r *rapid.T) {
	var roomIDs, messageIDs []chat.ID
	for n := range rooms {
		roomIDs = append(roomIDs, h.id('c', n+1))
		h.compareRoom(r, roomIDs[n])
	}
	for n := range users {
		h.compareUser(r, h.id('u', n+1))
	}
	for n := range 30 {
		messageIDs = append(messageIDs, h.id('m', n))
	}
	h.ask(r, "heads", func(s Store) (any, error) { return s.Heads(h.ctx, roomIDs) })
	h.ask(r, "by id", func(s Store) (any, error) { return s.StoredByID(h.ctx, messageIDs) })
}

func (h *history) compareRoom(r *rapid.T, room chat.ID) {
	limit := rapid.IntRange(0, 7).Draw(r, "limit")
	seq := rapid.Int64Range(0, seqs+1).Draw(r, "from")
	position := chat.Position{Epoch: rapid.Int32Range(0, 3).Draw(r, "epoch"), Offset: rapid.Int64Range(0, 10).Draw(r, "offset")}
	readers := []chat.ID{h.user(r), h.user(r)}
	h.ask(r, "conversation", func(s Store) (any, error) { return s.Conversation(h.ctx, room) })
	h.ask(r, "messages", func(s Store) (any, error) { return s.Messages(h.ctx, room, seq, limit) })
	h.ask(r, "messages before", func(s Store) (any, error) { return s.MessagesBefore(h.ctx, room, seq, limit) })
	h.ask(r, "last before", func(s Store) (any, error) { return s.LastBefore(h.ctx, room, position) })
	h.ask(r, "read seqs", func(s Store) (any, error) { return s.ReadSeqs(h.ctx, room, readers) })
}

func (h *history) compareUser(r *rapid.T, user chat.ID) {
	limit := rapid.IntRange(0, 7).Draw(r, "limit")
	cursor := chat.InboxCursor{}
	if rapid.Bool().Draw(r, "paged") {
		cursor = chat.InboxCursor{ActivityAt: moment(r), ConversationID: h.room(r)}
	}
	h.ask(r, "inbox", func(s Store) (any, error) {
		entries, err := s.Inbox(h.ctx, user, cursor, limit)
		return written(entries), err
	})
	h.ask(r, "peers", func(s Store) (any, error) { return s.Peers(h.ctx, user, limit) })
}

func (h *history) ask(r *rapid.T, what string, question func(Store) (any, error)) {
	r.Helper()
	got, err := question(h.store)
	want, wantErr := question(h.model)
	agree(r, what, answer{got, sentinel(err)}, answer{want, sentinel(wantErr)})
}

// written spells entries out, last messages included, for a report that can be read.
func written(entries []chat.InboxEntry) []string {
	var list []string
	for _, e := range entries {
		last := e.LastMessage
		e.LastMessage = nil
		list = append(list, fmt.Sprintf("%+v last %+v", e, last))
	}
	return list
}

type answer []any

func agree(r *rapid.T, what string, got, want any) {
	r.Helper()
	g, gotList := got.(answer)
	w, wantList := want.(answer)
	if !gotList || !wantList {
		g, w = answer{got}, answer{want}
	}
	for i := range w {
		if !same(g[i], w[i]) {
			r.Fatalf("%s\n got %+v\nwant %+v", what, got, want)
		}
	}
}

// sentinel is the error that two backends must agree on, whatever they say around it.
func sentinel(err error) error {
	for _, known := range []*chat.Error{chat.ErrNotFound, chat.ErrConflict} {
		if errors.Is(err, known) {
			return known
		}
	}
	return err
}
