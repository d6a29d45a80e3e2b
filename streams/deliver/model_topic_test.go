package deliver

import (
	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/kafka"
)

// simTopic is chat.messages.stored as its readers see it. It watches what must hold of every record.
type simTopic struct {
	log   *simLog
	store *simStore
	fail  func(format string, args ...any)

	lasts map[chat.ID]int64 // the greatest number of each conversation that is there
}

func newSimTopic(log *simLog, store *simStore, fail func(string, ...any)) *simTopic {
	return &simTopic{log: log, store: store, fail: fail, lasts: map[chat.ID]int64{}}
}

func (s *simTopic) append(messages []kafka.Stored) {
	for _, record := range messages {
		m := record.Message
		e, numbered := s.log.entry(m.ConversationID, m.Seq)
		if !numbered || e.message.ID != m.ID {
			s.fail("message %v is published as number %d, which it is not", m.ID, m.Seq)
			continue
		}
		if missing := s.store.missing(e); missing != "" {
			s.fail("message %v is published before it is stored: %s", m.ID, missing)
		}
		last := s.lasts[m.ConversationID]
		if m.Seq > last+1 {
			s.fail("number %d of conversation %v is published out of order, after %d", m.Seq, m.ConversationID, last)
		}
		s.lasts[m.ConversationID] = max(last, m.Seq)
	}
}
