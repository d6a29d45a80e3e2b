package deliver

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/kafka"
	"github.com/dozaar/dozaar/schemas"
)

// simLog is one partition of chat.messages, and what a reader who never fails makes of it.
type simLog struct {
	entries []simEntry
	epoch   int32
	end     int64 // the offset of the next record

	firsts map[identity]int  // where an id was seen first, as an index of entries
	lasts  map[chat.ID]int64 // the last number of each conversation
	marks  map[reader]int64  // the greatest number each sender has in a conversation
}

// identity is what makes two records the same message.
type identity struct{ conversation, message chat.ID }

type reader struct{ conversation, user chat.ID }

// simEntry is a record with the sequential reader's verdict.
type simEntry struct {
	record   kafka.Record
	message  chat.Message
	refused  bool  // its bytes alone condemn it
	seq      int64 // 0: it has no number
	conflict bool  // it repeats a client message id with another body
}

func newSimLog() *simLog {
	return &simLog{firsts: map[identity]int{}, lasts: map[chat.ID]int64{}, marks: map[reader]int64{}}
}

var simTime = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

// append writes a record after a hole of some offsets, as compaction and transactions leave them.
// A value is the entry's index; bad bytes and a bad key are what a sound record can be spoiled with.
func (l *simLog) append(m chat.Message, hole int64, badBytes, badKey bool) {
	l.end += hole
	value := binary.BigEndian.AppendUint32(nil, uint32(len(l.entries)))
	if badBytes {
		value = nil
	}
	key := m.ConversationID.String()
	if badKey {
		key = "somebody else's"
	}
	e := simEntry{
		record: kafka.Record{
			Topic: schemas.TopicMessages, Position: chat.Position{Epoch: l.epoch, Offset: l.end},
			Key: []byte(key), Value: value, Time: simTime,
		},
		message: m,
		refused: badBytes || badKey || m.Validate() != nil,
	}
	l.end++
	id := identity{m.ConversationID, m.ID}
	first, seen := l.firsts[id]
	switch {
	case e.refused:
	case seen:
		e.conflict = m.ClientMessageID != chat.ID{} && l.entries[first].message.BodyHash() != m.BodyHash()
	default:
		l.firsts[id] = len(l.entries)
		l.lasts[m.ConversationID]++
		e.seq = l.lasts[m.ConversationID]
		l.marks[reader{m.ConversationID, m.Sender.ID}] = e.seq
	}
	l.entries = append(l.entries, e)
}

// at is the position of an offset of the topic as it is now.
func (l *simLog) at(offset int64) chat.Position { return chat.Position{Epoch: l.epoch, Offset: offset} }

// fetch returns up to n records from an offset on.
func (l *simLog) fetch(from int64, n int) []kafka.Record {
	var batch []kafka.Record
	for _, e := range l.entries {
		if !e.record.Position.Before(l.at(from)) && len(batch) < n {
			batch = append(batch, e.record)
		}
	}
	return batch
}

// entry finds the entry of a numbered message.
func (l *simLog) entry(conversation chat.ID, seq int64) (simEntry, bool) {
	for _, e := range l.entries {
		if e.message.ConversationID == conversation && e.seq == seq && seq > 0 {
			return e, true
		}
	}
	return simEntry{}, false
}

func (l *simLog) decode(value []byte) (chat.Message, error) {
	if len(value) != 4 {
		return chat.Message{}, fmt.Errorf("%d bytes: %w", len(value), schemas.ErrPoison)
	}
	return l.entries[binary.BigEndian.Uint32(value)].message, nil
}

var errSim = errors.New("simulated failure")

// simID makes ids that are easy to read in a failure.
func simID(kind byte, n int) chat.ID {
	id := chat.ID{0: kind, 6: 0x70, 8: 0x80}
	binary.BigEndian.PutUint32(id[12:], uint32(n))
	return id
}
