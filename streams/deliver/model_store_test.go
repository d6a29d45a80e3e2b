package deliver

import (
	"fmt"

	"github.com/dozaar/dozaar/pkg/chat"
)

// simStore is a store of single rows, each write of which may arrive late, twice, out of order or not at
// all unless its call succeeded. It watches what must hold at every moment.
type simStore struct {
	log    *simLog
	broken breakage
	fail   func(format string, args ...any)

	rows    map[simRow]chat.StoredMessage
	byID    map[chat.ID]chat.StoredID
	heads   map[chat.ID]chat.Head
	inboxes map[chat.ID]int64 // the greatest seq that a conversation's members' inboxes have heard of
	marks   map[reader]int64
	known   map[chat.ID]bool // conversations that exist

	ghosts []func() // writes that are still on their way
}

type simRow struct {
	conversation chat.ID
	seq          int64
}

func newSimStore(log *simLog, broken breakage, fail func(string, ...any)) *simStore {
	return &simStore{
		log: log, broken: broken, fail: fail,
		rows: map[simRow]chat.StoredMessage{}, byID: map[chat.ID]chat.StoredID{},
		heads: map[chat.ID]chat.Head{}, inboxes: map[chat.ID]int64{}, marks: map[reader]int64{}, known: map[chat.ID]bool{},
	}
}

func (s *simStore) messageWrites(messages []chat.StoredMessage) (writes []func()) {
	for _, m := range messages {
		writes = append(writes, func() { s.writeRow(m) }, func() { s.writeID(m) })
	}
	return writes
}

func (s *simStore) writeRow(m chat.StoredMessage) {
	at := simRow{m.ConversationID, m.Seq}
	old, there := s.rows[at]
	if there && old.Position != m.Position {
		s.fail("row %d of conversation %v is written from %v and from %v", m.Seq, m.ConversationID, old.Position, m.Position)
	}
	if !there || old.Position.Before(m.Position) {
		s.rows[at] = m
	}
}

func (s *simStore) writeID(m chat.StoredMessage) {
	if old, there := s.byID[m.ID]; there && !m.Position.Before(old.Position) {
		return
	}
	s.byID[m.ID] = chat.StoredID{
		ConversationID: m.ConversationID, Seq: m.Seq, Position: m.Position,
		BodyHash: m.BodyHash(), SenderID: m.Sender.ID, CreatedAt: m.CreatedAt,
	}
}

func (s *simStore) headWrites(heads []chat.Head) (writes []func()) {
	for _, h := range heads {
		writes = append(writes, func() { s.writeHead(h) })
	}
	return writes
}

func (s *simStore) writeHead(h chat.Head) {
	if old, there := s.heads[h.ConversationID]; there && h.Seq <= old.Seq && !s.broken.lastHeadWins {
		return
	}
	if h.Seq < s.heads[h.ConversationID].Seq {
		s.fail("the head of conversation %v goes back to %d", h.ConversationID, h.Seq)
	}
	s.heads[h.ConversationID] = h
	for seq := int64(1); seq <= h.Seq; seq++ {
		if _, there := s.rows[simRow{h.ConversationID, seq}]; !there {
			s.fail("the head of conversation %v is %d, but row %d is missing", h.ConversationID, h.Seq, seq)
		}
	}
}

func (s *simStore) inboxWrites(heads []chat.Head) (writes []func()) {
	for _, h := range heads {
		writes = append(writes, func() {
			if s.heads[h.ConversationID].Seq < h.Seq {
				s.fail("the inboxes of conversation %v hear of %d, which is past the head", h.ConversationID, h.Seq)
			}
			s.inboxes[h.ConversationID] = max(s.inboxes[h.ConversationID], h.Seq)
		})
	}
	return writes
}

func (s *simStore) markWrites(marks []chat.ReadMark) (writes []func()) {
	for _, m := range marks {
		writes = append(writes, func() {
			who := reader{m.ConversationID, m.UserID}
			if s.broken.lastMarkWins || m.Seq > s.marks[who] {
				s.marks[who] = m.Seq
			}
		})
	}
	return writes
}

func (s *simStore) lastBefore(conversation chat.ID, p chat.Position) (last int64) {
	for at, m := range s.rows {
		if at.conversation == conversation && m.Position.Before(p) {
			last = max(last, at.seq)
		}
	}
	return last
}

// missing says what of an entry is not stored, or "".
func (s *simStore) missing(e simEntry) string {
	if e.seq == 0 {
		return ""
	}
	row, there := s.rows[simRow{e.message.ConversationID, e.seq}]
	id := s.byID[e.message.ID]
	head := s.heads[e.message.ConversationID]
	at := e.record.Position
	switch {
	case !there:
		return fmt.Sprintf("row %d is missing", e.seq)
	case row.Position != at || row.ID != e.message.ID || row.BodyHash() != e.message.BodyHash():
		return fmt.Sprintf("row %d is %v at %v", e.seq, row.ID, row.Position)
	case id.Position != at || id.Seq != e.seq || id.BodyHash != e.message.BodyHash():
		return fmt.Sprintf("its by-id row is %d at %v", id.Seq, id.Position)
	case head.Seq < e.seq:
		return fmt.Sprintf("the head is %d", head.Seq)
	}
	return ""
}
