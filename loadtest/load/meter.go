package load

import (
	"maps"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/dozaar/dozaar/loadtest/history"
)

// Meter takes from events how long messages took. It is given them in the order in which each device writes them, by any number of
// goroutines.
type Meter struct {
	mu       sync.Mutex // guards what follows
	from     time.Duration
	due      map[dueKey]time.Duration
	replayed map[placeKey]int64 // up to where the last join found messages
	whole    waits
	late     spread
	lately   waits // since the last Lately
}

type dueKey struct {
	conversation, sender, client uuid.UUID
	body                         history.Body
}

type placeKey struct {
	conversation uuid.UUID
	device       string
}

// NewMeter measures everything, until From says otherwise.
func NewMeter() *Meter {
	return &Meter{due: map[dueKey]time.Duration{}, replayed: map[placeKey]int64{}, whole: newWaits(), lately: newWaits(), late: newSpread()}
}

// From leaves out, of the whole, what was due before that time of the history.
func (m *Meter) From(at time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.from = at
}

// Late takes that a message was given to its device so long after it was due, which no product can help.
func (m *Meter) Late(by time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.late.add(by)
}

// Add takes an event, which has its time.
func (m *Meter) Add(e *history.Event) {
	switch e.Kind {
	case history.Send, history.Answer, history.Joined, history.Shown:
	default:
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	k := dueKey{e.Conversation, e.User, e.Client, e.Body}
	switch e.Kind {
	case history.Send:
		if _, again := m.due[k]; !again {
			m.due[k] = e.At - e.Due
		}
	case history.Answer:
		if at, sent := m.due[k]; sent && e.Outcome == history.OK {
			m.took(at, e.At, func(w *waits) *spread { return &w.acked })
		}
	case history.Joined:
		m.replayed[placeKey{e.Conversation, e.Device}] = e.LastSeq
	case history.Shown:
		if strings.HasPrefix(e.Device, slowly) {
			return
		}
		k.sender = e.Sender
		if at, sent := m.due[k]; sent && (e.Seq == 0 || e.Seq > m.replayed[placeKey{e.Conversation, e.Device}]) { // 0: of a product that numbers nothing
			m.took(at, e.At, func(w *waits) *spread { return &w.delivered })
		}
	}
}

func (m *Meter) took(due, done time.Duration, which func(*waits) *spread) {
	which(&m.lately).add(done - due)
	if due >= m.from {
		which(&m.whole).add(done - due)
	}
}

// Whole is what was measured so far.
func (m *Meter) Whole() Latency {
	m.mu.Lock()
	defer m.mu.Unlock()
	return Latency{m.whole.acked.quantiles(true), m.whole.delivered.quantiles(true)}
}

// Lately is what was measured since it was last called.
func (m *Meter) Lately() Latency {
	m.mu.Lock()
	defer m.mu.Unlock()
	l := Latency{m.lately.acked.quantiles(false), m.lately.delivered.quantiles(false)}
	m.lately.acked.reset()
	m.lately.delivered.reset()
	return l
}

// Measure reads the latencies out of a history.
func Measure(source history.Source) (Latency, error) {
	m := NewMeter()
	for e, err := range source() {
		if err != nil {
			return m.Whole(), err
		}
		m.Add(&e)
	}
	return m.Whole(), nil
}

// Phases is Measure of each part of a run by itself: a message belongs to the last remark before it was first sent, or to "".
func Phases(source history.Source) (map[string]Latency, error) {
	now := NewMeter()
	parts := map[string]*Meter{"": now}
	for e, err := range source() {
		switch {
		case err != nil:
			return nil, err
		case e.Kind == history.Remark && parts[e.Note] == nil:
			before := now
			now = NewMeter()
			now.replayed = maps.Clone(before.replayed)
			parts[e.Note] = now
		case e.Kind == history.Remark:
			now = parts[e.Note]
		case e.Kind == history.Send && !sentIn(parts, &e):
			now.Add(&e)
		case e.Kind != history.Send:
			for _, m := range parts {
				m.Add(&e)
			}
		}
	}
	all := make(map[string]Latency, len(parts))
	for remark, m := range parts {
		all[remark] = m.Whole()
	}
	return all, nil
}

func sentIn(parts map[string]*Meter, e *history.Event) bool {
	for _, m := range parts {
		if _, again := m.due[dueKey{e.Conversation, e.User, e.Client, e.Body}]; again {
			return true
		}
	}
	return false
}
