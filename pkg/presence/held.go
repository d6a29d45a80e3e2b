package presence

import (
	"math/rand/v2"
	"sync"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
)

// Values of held.due that are no slot of the wheel.
const (
	unplanned = -1
	urgent    = -2
)

// lease names what a gateway holds: its share of a user or of a room.
type lease struct {
	room bool
	id   chat.ID
}

// wish is what Redis shall say of a lease.
type wish int

const (
	none wish = iota
	hold
	hide  // of users: hold, and others see them offline
	guess // of users: hide where they are hidden already, else hold
	leave // of users: the lease shall end after the grace
)

// holds tells the wishes for a lease that lives on.
func (w wish) holds() bool { return w == hold || w == hide || w == guess }

// wishOf is how an arrival wants the lease held.
func wishOf(v chat.Visibility) wish {
	switch v {
	case chat.Visible:
		return hold
	case chat.Invisible:
		return hide
	}
	return guess
}

// held is one lease as this gateway wishes it to be.
type held struct {
	wish    wish
	since   time.Time // of the wish
	turn    uint64    // grows with every change of the wish; tells whether one changed during a write
	written bool      // Redis has confirmed the wish
	renewed time.Time // when Redis last confirmed the lease as held; zero: never
	beats   int       // renewals so far, counted from a random number: leases that came together are not extended together
	hidden  bool      // the last wish for a lease that lives on was to hide
	shows   bool      // the wish ends a time of hiding or a goodbye, which Redis has not confirmed: others may have been told
	hides   bool      // the wish ends a time of being seen, which Redis has not confirmed
	due     int64     // the slot of the wheel at which Run looks at it again
}

// table is everything that this gateway holds, and when to look at it again. A write to Redis takes
// time, and the wish may change meanwhile, so a write is noted afterwards together with the turn it
// was made for: whoever finds that the wish has changed writes again.
type table struct {
	interval time.Duration // between two renewals of a lease
	leftFor  time.Duration // after a goodbye, and between later looks, until it is asked whether the user is offline
	unit     time.Duration // one slot of the wheel
	start    time.Time     // of the first slot; slots are counted by the monotonic clock

	mu      sync.Mutex
	leases  map[lease]*held
	closing map[lease]chan struct{} // rooms that are being taken out of Redis; closed when done
	wheel   map[int64][]lease       // by the slot at which they are due; entries may be stale
	urgent  []lease                 // due before any slot that is still to come; entries may be stale
	drained int64                   // the last slot that was taken from the wheel
	turns   uint64
}

func newTable(interval, unit time.Duration, start time.Time) *table {
	return &table{
		interval: interval, leftFor: min(5*time.Second, interval/2), unit: unit, start: start, drained: -1,
		leases: map[lease]*held{}, closing: map[lease]chan struct{}{}, wheel: map[int64][]lease{},
	}
}

func (t *table) slot(at time.Time) int64 { return int64(at.Sub(t.start) / t.unit) }

// set notes a wish and answers its turn. A wish that is there already keeps its turn and its time.
func (t *table) set(l lease, w wish, now time.Time) (turn uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.setLocked(l, w, now)
}

func (t *table) setLocked(l lease, w wish, now time.Time) (turn uint64) {
	h := t.leases[l]
	if h == nil {
		h = &held{wish: none, due: unplanned, beats: rand.IntN(extendEvery)}
		t.leases[l] = h
		t.plan(l, h, now.Add(t.interval)) // whoever sets a wish writes it, or calls retry
	}
	if h.wish != w {
		t.turns++
		h.shows = w == hold && (h.shows || h.wish == hide || h.wish == guess || h.wish == leave)
		h.hides = w == hide && !h.renewed.IsZero() && (h.hides || h.wish == hold || h.wish == guess || h.wish == leave && !h.hidden) || w == leave && h.hides
		h.wish, h.since, h.turn, h.written = w, now, t.turns, false
		h.hidden = w == hide || w == leave && h.hidden
	}
	return h.turn
}

// drop forgets a lease, unless its wish has changed since the turn.
func (t *table) drop(l lease, turn uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if h := t.leases[l]; h != nil && h.turn == turn {
		delete(t.leases, l)
	}
}

// get answers a copy of what is held.
func (t *table) get(l lease) (held, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	h, ok := t.leases[l]
	if !ok {
		return held{}, false
	}
	return *h, true
}

// wrote notes that Redis has confirmed a write that was begun at started for a turn. It answers
// false if the wish has changed since.
func (t *table) wrote(l lease, turn uint64, started, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	h := t.leases[l]
	if h == nil || h.turn != turn {
		return false
	}
	h.written, h.shows, h.hides = true, false, false
	if h.wish == leave {
		t.plan(l, h, now.Add(t.leftFor))
		return true
	}
	h.beats++
	if h.renewed.IsZero() {
		// The first time is drawn at random, so that those who came together are not renewed together.
		t.plan(l, h, started.Add(time.Duration((0.5+0.5*rand.Float64())*float64(t.interval))))
	} else {
		t.plan(l, h, started.Add(t.interval))
	}
	h.renewed = started
	return true
}

// again makes leases due now. With a nil filter all of them.
func (t *table) again(now time.Time, filter func(lease) bool) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	n := 0
	for l, h := range t.leases {
		if filter == nil || filter(l) {
			h.written = false
			t.plan(l, h, now)
			n++
		}
	}
	return n
}

// retry makes one lease due now, later at the given time.
func (t *table) retry(l lease, now time.Time) { t.later(l, now) }

func (t *table) later(l lease, at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if h := t.leases[l]; h != nil {
		t.plan(l, h, at)
	}
}

// plan puts a lease on the wheel. The caller holds mu.
func (t *table) plan(l lease, h *held, at time.Time) {
	due := t.slot(at)
	if due <= t.drained {
		due = urgent
	}
	if h.due == due {
		return
	}
	h.due = due
	if due == urgent {
		t.urgent = append(t.urgent, l)
	} else {
		t.wheel[due] = append(t.wheel[due], l)
	}
}

// takeDue takes up to limit leases that are due; more is true when there may be others. Whoever takes
// them writes them or plans them anew.
func (t *table) takeDue(now time.Time, limit int) (due []lease, more bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	take := func(from []lease, slot int64) (rest []lease) {
		for i, l := range from {
			if len(due) == limit {
				return from[i:]
			}
			if h := t.leases[l]; h != nil && h.due == slot {
				h.due = unplanned
				due = append(due, l)
			}
		}
		return nil
	}
	if t.urgent = take(t.urgent, urgent); t.urgent != nil {
		return due, true
	}
	for last := t.slot(now); t.drained < last; t.drained++ {
		if rest := take(t.wheel[t.drained+1], t.drained+1); rest != nil {
			t.wheel[t.drained+1] = rest
			return due, true
		}
		delete(t.wheel, t.drained+1)
	}
	return due, false
}

// counts answers how many users and rooms are held; those who have left are not.
func (t *table) counts() (users, rooms int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for l, h := range t.leases {
		switch {
		case l.room:
			rooms++
		case h.wish.holds():
			users++
		}
	}
	return users, rooms
}
