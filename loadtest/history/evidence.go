package history

import (
	"slices"

	"github.com/google/uuid"
)

// mostEvidence is how many events a finding is given: the first half of them, and the last.
const mostEvidence = 24

// witness gathers the events of one finding.
type witness struct {
	*Finding
	before []Evidence // the device's last join and connection, as long as the finding's event has not come
}

// prove reads the history again and gives each example the events that tell its story: those of its message
// or number, and what its device did last before that.
func (v *Verdict) prove(source Source) error {
	if len(v.Examples) == 0 {
		return nil
	}
	byConversation, byDevice := map[uuid.UUID][]*witness{}, map[string][]*witness{}
	for i := range v.Examples {
		w := &witness{Finding: &v.Examples[i]}
		byConversation[w.Conversation] = append(byConversation[w.Conversation], w)
		for _, d := range w.Devices {
			byDevice[d] = append(byDevice[d], w)
		}
	}
	number := int64(0)
	for e, err := range source() {
		if err != nil {
			return err
		}
		number++
		if e.Conversation == uuid.Nil {
			for _, w := range byDevice[e.Device] {
				w.see(number, e)
			}
			continue
		}
		for _, w := range byConversation[e.Conversation] {
			w.see(number, e)
		}
	}
	for i := range v.Examples {
		f := &v.Examples[i]
		slices.SortFunc(f.Events, func(a, b Evidence) int { return int(a.Number - b.Number) })
		f.Events = slices.CompactFunc(f.Events, func(a, b Evidence) bool { return a.Number == b.Number })
	}
	return nil
}

func (w *witness) see(number int64, e Event) {
	switch {
	case number == w.Event || w.tells(&e):
		w.keep(Evidence{number, e})
	case !slices.Contains(w.Devices, e.Device) || w.Event > 0 && number > w.Event:
	case e.Kind == Connected || e.Kind == Disconnected || e.Kind == Joined || e.Kind == Left:
		w.before = append(slices.DeleteFunc(w.before, func(b Evidence) bool { return b.Kind == e.Kind }), Evidence{number, e})
	}
	if number == w.Event || w.Event == 0 && e.Kind == End {
		w.Events = append(w.Events, w.before...)
		w.before = nil
	}
}

// tells whether the event is of the finding's message, number or member.
func (w *witness) tells(e *Event) bool {
	switch e.Kind {
	case Admitting, Admitted, Expelling, Expelled, Inbox:
		return (w.Kind == Foreign || w.Kind == WrongUnread || w.Kind == WrongMark) && e.User == w.User
	case Mark, Marked, Seen:
		if w.Kind != WrongMark && w.Kind != WrongUnread {
			return false
		}
	case Connected, Disconnected, Joined, Left:
		return false
	}
	if e.Kind == End {
		return w.Event == 0 && len(w.Devices) == 0 && w.Message == uuid.Nil
	}
	return w.Seq != 0 && e.Seq == w.Seq || w.Message != uuid.Nil && e.Message == w.Message || w.Client != uuid.Nil && e.Client == w.Client
}

func (w *witness) keep(e Evidence) {
	if len(w.Events) >= mostEvidence {
		w.Events = slices.Delete(w.Events, mostEvidence/2, mostEvidence/2+1)
	}
	w.Events = append(w.Events, e)
}
