package history

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/google/uuid"
)

// play makes a clean history of a server as it should be.
func play(choose func(int) int, conversations, steps int) (events []Event) {
	w := newWorld(conversations, choose, func(e Event) { events = append(events, e) })
	for range steps {
		w.step()
	}
	w.finish()
	return events
}

func drawn(t *rapid.T) func(int) int {
	return func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "choice") }
}

// TestCleanIsClean plays histories of a server as it should be, with many devices that come and go; nothing
// may be found in any. A failure prints its seed and the shortest history.
func TestCleanIsClean(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		events := play(drawn(t), rapid.IntRange(1, 3).Draw(t, "conversations"), rapid.IntRange(20, 300).Draw(t, "steps"))
		v, err := Check(Slice(whole(events)), Options{})
		if err != nil || !v.Clean() {
			var b strings.Builder
			v.Print(&b)
			t.Fatalf("%v\n%s", err, b.String())
		}
	})
}

// mutant makes one thing wrong in a history. It returns nil where there is nothing of the kind to be made wrong.
type mutant struct {
	name string
	want Fault
	make func(h *mutable) []Event
}

// mutable is a history about to be made wrong.
type mutable struct {
	events []Event
	choose func(int) int
}

// pick chooses among the events that fit, -1 where none does.
func (h *mutable) pick(fits func(i int, e *Event) bool) int {
	var all []int
	for i := range h.events {
		if fits(i, &h.events[i]) {
			all = append(all, i)
		}
	}
	if len(all) == 0 {
		return -1
	}
	return all[h.choose(len(all))]
}

func (h *mutable) kind(kinds ...Kind) int {
	return h.pick(func(_ int, e *Event) bool { return slices.Contains(kinds, e.Kind) })
}

// after is the next event after i that fits, -1 where there is none.
func (h *mutable) after(i int, fits func(e *Event) bool) int {
	for j := i + 1; j < len(h.events); j++ {
		if fits(&h.events[j]) {
			return j
		}
	}
	return -1
}

func (h *mutable) without(i int) []Event { return slices.Delete(h.events, i, i+1) }

func (h *mutable) insert(i int, e Event) []Event { return slices.Insert(h.events, i, e) }

func (h *mutable) change(i int, change func(e *Event)) []Event {
	if i < 0 {
		return nil
	}
	change(&h.events[i])
	return h.events
}

// stays tells whether none of these comes to the device of event i after it, until all is at rest.
func (h *mutable) stays(i int, none ...Kind) bool {
	j := h.after(i, func(e *Event) bool {
		return e.Kind == Settled || e.Device == h.events[i].Device && slices.Contains(none, e.Kind)
	})
	return j < 0 || h.events[j].Kind == Settled
}

// nextOf is what came to the device of event i of its conversation after that, in the same stay; -1: nothing.
func (h *mutable) nextOf(i int) int {
	first := h.events[i]
	j := h.after(i, func(e *Event) bool {
		return e.Device == first.Device && slices.Contains([]Kind{Shown, Paged, Joined, Left, Disconnected}, e.Kind)
	})
	if j < 0 || h.events[j].Kind != first.Kind {
		return -1
	}
	return j
}

func (h *mutable) head(conversation uuid.UUID) (head int64) {
	for i := range h.events {
		if e := &h.events[i]; e.Kind == End && e.Conversation == conversation {
			head = e.LastSeq
		}
	}
	return head
}

// erase takes a message out of the world as if it had never been numbered.
func (h *mutable) erase(conversation uuid.UUID, seq int64) []Event {
	lower := func(n *int64) {
		if *n >= seq {
			*n--
		}
	}
	h.events = slices.DeleteFunc(h.events, func(e Event) bool {
		return e.Conversation == conversation && e.Seq == seq && e.Kind != Send && e.Kind != Answer
	})
	for i := range h.events {
		e := &h.events[i]
		if e.Conversation != conversation {
			continue
		}
		for _, n := range []*int64{&e.Seq, &e.AfterSeq, &e.LastSeq, &e.ReadSeq} {
			lower(n)
		}
		if e.Kind == Joined && e.AfterSeq >= 0 {
			e.Missed = e.LastSeq - e.AfterSeq
		}
		if e.Kind == Inbox {
			e.Missed = e.LastSeq - e.ReadSeq
		}
	}
	return h.events
}

// exchange gives two events each other's message and leaves them their numbers.
func exchange(a, b *Event) {
	a.Message, b.Message = b.Message, a.Message
	a.Client, b.Client = b.Client, a.Client
	a.Sender, b.Sender = b.Sender, a.Sender
	a.Body, b.Body = b.Body, a.Body
}

// story is all that is sent and answered under the client id of event i.
func (h *mutable) story(i int) (bodies []Body, events []int) {
	for j := range h.events {
		e := &h.events[j]
		if e.Client != h.events[i].Client || !slices.Contains([]Kind{Send, Answer, Conflict}, e.Kind) {
			continue
		}
		events = append(events, j)
		if e.Body != 0 && !slices.Contains(bodies, e.Body) {
			bodies = append(bodies, e.Body)
		}
	}
	return bodies, events
}

func (h *mutable) shownAtAll(message uuid.UUID) bool {
	return slices.ContainsFunc(h.events, func(e Event) bool {
		return e.Message == message && slices.Contains([]Kind{Shown, Paged, Notified}, e.Kind)
	})
}

var mutants = []mutant{
	{"an acknowledged message never was", Lost, func(h *mutable) []Event {
		i := h.pick(func(_ int, e *Event) bool { return e.Kind == Answer && e.Outcome == OK })
		if i < 0 {
			return nil
		}
		j := h.after(-1, func(e *Event) bool { return e.Kind == Stored && e.Message == h.events[i].Message })
		return h.erase(h.events[j].Conversation, h.events[j].Seq)
	}},
	{"a message is stored again", Duplicated, func(h *mutable) []Event {
		i := h.kind(Stored)
		if i < 0 {
			return nil
		}
		e := h.events[i]
		end := h.after(i, func(e *Event) bool { return e.Kind == End })
		h.events[end].LastSeq++
		e.Seq = h.events[end].LastSeq
		return h.insert(end, e)
	}},
	{"a message is shown again", Duplicated, func(h *mutable) []Event {
		i := h.kind(Shown)
		if i < 0 {
			return nil
		}
		return h.insert(i+1, h.events[i])
	}},
	{"a page has a message twice", Duplicated, func(h *mutable) []Event {
		i := h.pick(func(i int, e *Event) bool { return e.Kind == Paged && h.nextOf(i) >= 0 })
		if i < 0 {
			return nil
		}
		return h.insert(i+1, h.events[i])
	}},
	{"two are shown the other way round", Reordered, func(h *mutable) []Event {
		i := h.pick(func(i int, e *Event) bool { return e.Kind == Shown && h.nextOf(i) >= 0 })
		if i < 0 {
			return nil
		}
		j := h.nextOf(i)
		e := h.events[i]
		h.events = h.insert(j+1, e)
		return h.without(i)
	}},
	{"two are stored the other way round", Reordered, func(h *mutable) []Event {
		i := h.pick(func(i int, e *Event) bool { return e.Kind == Stored && h.events[i+1].Kind == Stored })
		if i < 0 {
			return nil
		}
		h.events[i], h.events[i+1] = h.events[i+1], h.events[i]
		return h.events
	}},
	{"a message is not shown", Gap, func(h *mutable) []Event {
		i := h.pick(func(i int, e *Event) bool { return e.Kind == Shown && h.nextOf(i) >= 0 })
		if i < 0 {
			return nil
		}
		return h.without(i)
	}},
	{"a catch-up leaves a message out", Gap, func(h *mutable) []Event {
		i := h.pick(func(i int, e *Event) bool {
			if e.Kind != Joined || !e.Recovered || e.Missed < 2 || e.AfterSeq < 0 {
				return false
			}
			j := h.after(i, func(other *Event) bool {
				return other.Device == e.Device && (other.Kind == Shown || other.Kind == Disconnected || other.Kind == Left)
			})
			return j >= 0 && h.events[j].Kind == Shown && h.nextOf(j) >= 0
		})
		if i < 0 {
			return nil
		}
		return h.without(h.after(i, func(e *Event) bool { return e.Device == h.events[i].Device && e.Kind == Shown }))
	}},
	{"a page leaves a message out", Gap, func(h *mutable) []Event {
		i := h.pick(func(i int, e *Event) bool { return e.Kind == Paged && h.nextOf(i) >= 0 })
		if i < 0 {
			return nil
		}
		return h.without(i)
	}},
	{"the last message is not shown", Gap, func(h *mutable) []Event {
		i := h.pick(func(i int, e *Event) bool {
			return e.Kind == Shown && e.Seq == h.head(e.Conversation) && h.stays(i, Disconnected, Left, Joined)
		})
		if i < 0 {
			return nil
		}
		return h.without(i)
	}},
	{"a device goes on after what it never had", Gap, func(h *mutable) []Event {
		i := h.pick(func(i int, e *Event) bool {
			return e.Kind == Joined && e.AfterSeq > 0 && h.pick(func(j int, other *Event) bool {
				return j < i && other.Kind == Joined && other.Device == e.Device
			}) >= 0
		})
		return h.change(i, func(e *Event) {
			e.AfterSeq++
			e.LastSeq = max(e.LastSeq, e.AfterSeq)
			e.Missed = e.LastSeq - e.AfterSeq
		})
	}},
	{"a join tells too many missed", Gap, func(h *mutable) []Event {
		i := h.pick(func(_ int, e *Event) bool { return e.Kind == Joined && e.AfterSeq >= 0 })
		return h.change(i, func(e *Event) { e.Missed++ })
	}},
	{"a row is gone", Gap, func(h *mutable) []Event {
		i := h.pick(func(i int, e *Event) bool { return e.Kind == Stored && h.events[i+1].Kind == Stored })
		if i < 0 {
			return nil
		}
		return h.without(i)
	}},
	{"the history has two numbers exchanged", Disagreeing, func(h *mutable) []Event {
		i := h.pick(func(i int, e *Event) bool {
			return e.Kind == Stored && h.events[i+1].Kind == Stored && h.shownAtAll(e.Message) && h.shownAtAll(h.events[i+1].Message)
		})
		if i < 0 {
			return nil
		}
		exchange(&h.events[i], &h.events[i+1])
		return h.events
	}},
	{"a device has two numbers exchanged", Disagreeing, func(h *mutable) []Event {
		i := h.pick(func(i int, e *Event) bool { return e.Kind == Shown && h.nextOf(i) >= 0 })
		if i < 0 {
			return nil
		}
		exchange(&h.events[i], &h.events[h.nextOf(i)])
		return h.events
	}},
	{"a device sees another id", Disagreeing, func(h *mutable) []Event {
		i := h.pick(func(_ int, e *Event) bool { return e.Kind == Shown && e.Client != uuid.Nil })
		return h.change(i, func(e *Event) { e.Message = testID('x', 1) })
	}},
	{"a body is another", Altered, func(h *mutable) []Event {
		i := h.pick(func(_ int, e *Event) bool {
			return slices.Contains([]Kind{Shown, Paged, Stored}, e.Kind) && e.Client != uuid.Nil
		})
		return h.change(i, func(e *Event) { e.Body ^= 1 << 60 })
	}},
	{"nobody sent what is stored", Phantom, func(h *mutable) []Event {
		i := h.kind(End)
		h.events[i].LastSeq++
		return h.insert(i, Event{
			Kind: Stored, Conversation: h.events[i].Conversation, Seq: h.events[i].LastSeq, Message: testID('x', 1), Sender: testID('x', 2), Body: 1,
		})
	}},
	{"nobody sent what is shown", Phantom, func(h *mutable) []Event {
		i := h.kind(Shown)
		return h.change(i, func(e *Event) { e.Message, e.Client, e.Body = testID('x', 1), testID('x', 2), 3 })
	}},
	{"what was shown is gone", Unstored, func(h *mutable) []Event {
		i := h.pick(func(i int, e *Event) bool {
			return e.Kind == Stored && h.events[i+1].Kind == End && h.shownAtAll(e.Message)
		})
		if i < 0 {
			return nil
		}
		h.events[i+1].LastSeq--
		return h.without(i)
	}},
	{"a stranger is shown a message", Foreign, func(h *mutable) []Event {
		i := h.kind(Shown)
		if i < 0 {
			return nil
		}
		e := h.events[i]
		e.Device, e.User = "stranger", testID('x', 1)
		return h.insert(i+1, e)
	}},
	{"a former member is shown a message", Foreign, func(h *mutable) []Event {
		i := h.kind(Expelled)
		if i < 0 {
			return nil
		}
		j := h.after(-1, func(e *Event) bool { return e.Kind == Shown && e.Conversation == h.events[i].Conversation })
		if j < 0 {
			return nil
		}
		e := h.events[j]
		e.At, e.Device, e.User = h.events[i].At+7*time.Second, "former", h.events[i].User
		return h.insert(max(i, j)+1, e)
	}},
	{"the body that lost is shown", TwoBodies, func(h *mutable) []Event {
		i := h.pick(func(i int, e *Event) bool {
			if e.Kind != Shown || e.Client == uuid.Nil {
				return false
			}
			bodies, events := h.story(i)
			return len(bodies) == 2 && events[len(events)-1] < i
		})
		return h.change(i, func(e *Event) {
			bodies, _ := h.story(i)
			e.Body = bodies[1]
		})
	}},
	{"what was stored had been refused", RefusedStored, func(h *mutable) []Event {
		i := h.pick(func(i int, e *Event) bool {
			_, events := h.story(i)
			return e.Kind == Answer && e.Outcome == OK && e.Client != uuid.Nil && len(events) == 2
		})
		return h.change(i, func(e *Event) { e.Outcome, e.Code, e.Message = Refused, "invalid", uuid.Nil })
	}},
	{"a conflict without a second body", WrongConflict, func(h *mutable) []Event {
		i := h.pick(func(i int, e *Event) bool {
			bodies, _ := h.story(i)
			return e.Kind == Answer && e.Outcome == OK && e.Client != uuid.Nil && len(bodies) == 1
		})
		if i < 0 {
			return nil
		}
		e := h.events[i]
		e.Kind, e.Body, e.Message = Conflict, 0, uuid.Nil
		return h.insert(i+1, e)
	}},
	{"a second body, and nobody is told", WrongConflict, func(h *mutable) []Event {
		i := h.pick(func(i int, e *Event) bool {
			return (e.Kind == Conflict || e.Code == "conflict") && h.stays(i, Disconnected)
		})
		if i < 0 {
			return nil
		}
		if h.events[i].Kind == Conflict {
			return h.without(i)
		}
		return h.change(i, func(e *Event) {
			e.Outcome, e.Code = OK, ""
			e.Message = h.events[h.after(-1, func(other *Event) bool { return other.Kind == Stored && other.Client == e.Client })].Message
		})
	}},
	{"an unread count is wrong", WrongUnread, func(h *mutable) []Event {
		i := h.pick(func(_ int, e *Event) bool { return e.Kind == Inbox && e.Outcome == OK })
		return h.change(i, func(e *Event) { e.Missed++ })
	}},
	{"an inbox ends early", WrongUnread, func(h *mutable) []Event {
		i := h.pick(func(_ int, e *Event) bool { return e.Kind == Inbox && e.Outcome == OK && e.Missed > 0 })
		return h.change(i, func(e *Event) { e.LastSeq--; e.Missed-- })
	}},
	{"a read mark is wrong", WrongMark, func(h *mutable) []Event {
		i := h.pick(func(_ int, e *Event) bool {
			return e.Kind == Inbox && e.Outcome == OK && e.Missed > 0 && h.after(-1, func(other *Event) bool {
				return other.Kind == Marked && other.Outcome != OK && other.User == e.User
			}) < 0
		})
		return h.change(i, func(e *Event) {
			if e.ReadSeq > 0 && h.choose(2) == 0 {
				e.ReadSeq, e.Missed = e.ReadSeq-1, e.Missed+1
				return
			}
			e.ReadSeq, e.Missed = e.ReadSeq+1, e.Missed-1
		})
	}},
	{"a mark is told of another number", WrongMark, func(h *mutable) []Event {
		return h.change(h.kind(Seen), func(e *Event) { e.Seq++ })
	}},
	{"a mark is told that nobody made", WrongMark, func(h *mutable) []Event {
		return h.change(h.kind(Seen), func(e *Event) { e.Sender = testID('x', 1) })
	}},
	{"a device that left is shown a message", Uninvited, func(h *mutable) []Event {
		i := h.kind(Left)
		if i < 0 {
			return nil
		}
		j := h.after(-1, func(e *Event) bool { return e.Kind == Shown && e.Conversation == h.events[i].Conversation })
		if j < 0 || j > i {
			return nil
		}
		e := h.events[j]
		e.At, e.Device, e.User = h.events[i].At, h.events[i].Device, h.events[i].User
		return h.insert(i+1, e)
	}},
	{"the sender is notified", Uninvited, func(h *mutable) []Event {
		return h.change(h.kind(Notified), func(e *Event) { e.Sender = e.User })
	}},
	{"a join tells an older head", Backwards, func(h *mutable) []Event {
		i := h.pick(func(_ int, e *Event) bool { return e.Kind == Joined && e.AfterSeq > 0 && e.AfterSeq == e.LastSeq })
		return h.change(i, func(e *Event) { e.LastSeq-- })
	}},
}

// enough is in how many histories each mutant has to be found.
const enough = 60

// TestEveryMutantIsCaught makes one thing wrong in clean histories, at random, and wants it found, as what it is.
func TestEveryMutantIsCaught(t *testing.T) {
	covered := map[Fault]bool{}
	for _, m := range mutants {
		covered[m.want] = true
		t.Run(m.name, func(t *testing.T) {
			made := 0
			for seed := uint64(0); made < enough && seed < 50*enough; seed++ {
				r := rand.New(rand.NewPCG(seed, 1))
				events := m.make(&mutable{events: play(r.IntN, 2, 150), choose: r.IntN})
				if events == nil {
					continue
				}
				made++
				v, err := Check(Slice(whole(events)), Options{})
				if err != nil {
					t.Fatal(err)
				}
				if v.Findings[m.want] == 0 {
					var b strings.Builder
					v.Print(&b)
					t.Fatalf("history %d: %s was wanted\n%s", seed, m.want, b.String())
				}
			}
			if made < enough {
				t.Errorf("only %d histories had anything of the kind", made)
			}
		})
	}
	for _, f := range Faults() {
		if !covered[f] {
			t.Errorf("no mutant makes the fault %q", f)
		}
	}
}
