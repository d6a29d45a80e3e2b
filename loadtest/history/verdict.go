package history

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"
)

// Fault is what a finding is about.
type Fault string

// The faults. README.md says what each means and how it is told from the others.
const (
	Lost          Fault = "lost"
	Duplicated    Fault = "duplicated"
	Reordered     Fault = "reordered"
	Gap           Fault = "gap"
	Phantom       Fault = "phantom"
	Foreign       Fault = "foreign"
	Altered       Fault = "altered"
	Unstored      Fault = "unstored"
	Disagreeing   Fault = "disagreeing"
	TwoBodies     Fault = "two bodies"
	RefusedStored Fault = "refused, stored"
	WrongConflict Fault = "wrong conflict"
	WrongUnread   Fault = "wrong unread"
	WrongMark     Fault = "wrong mark"
	Uninvited     Fault = "uninvited"
	Backwards     Fault = "backwards"
)

// Faults are all of them, in the order of a report.
func Faults() []Fault {
	return []Fault{
		Lost, Duplicated, Reordered, Gap, Phantom, Foreign, Altered, Unstored, Disagreeing, TwoBodies,
		RefusedStored, WrongConflict, WrongUnread, WrongMark, Uninvited, Backwards,
	}
}

// Finding is one broken promise. What is not about a device, a number or a message leaves that out.
type Finding struct {
	Kind         Fault         `json:"kind"`
	Text         string        `json:"text"`
	Conversation uuid.UUID     `json:"conversation"`
	Seq          int64         `json:"seq,omitzero"`
	Message      uuid.UUID     `json:"message,omitzero"`
	Client       uuid.UUID     `json:"client,omitzero"`
	Devices      []string      `json:"devices,omitempty"`
	User         uuid.UUID     `json:"user,omitzero"`
	At           time.Duration `json:"at"`
	Event        int64         `json:"event,omitzero"` // the number of the event that showed it, from 1; 0: only the end did
	Events       []Evidence    `json:"events,omitempty"`
}

// Evidence is an event and its number in the history.
type Evidence struct {
	Number int64 `json:"number"`
	Event
}

// Counts are what the history holds, so that nobody takes silence for health.
type Counts struct {
	Events        int64 `json:"events"`
	Conversations int64 `json:"conversations"`
	Devices       int64 `json:"devices"`
	Connects      int64 `json:"connects"`
	Reconnects    int64 `json:"reconnects"`
	Joins         int64 `json:"joins"`
	Replays       int64 `json:"replays"`     // joins that replayed something
	Unrecovered   int64 `json:"unrecovered"` // joins after which pages had to be read
	Sent          int64 `json:"sent"`        // messages
	Tries         int64 `json:"tries"`
	Acked         int64 `json:"acked"`
	Refused       int64 `json:"refused"`
	Unknown       int64 `json:"unknown"` // neither accepted nor refused for certain
	Conflicts     int64 `json:"conflicts"`
	Stored        int64 `json:"stored"`
	Shown         int64 `json:"shown"`
	Paged         int64 `json:"paged"`
	Looked        int64 `json:"looked"`
	Notified      int64 `json:"notified"`
	Marks         int64 `json:"marks"`
	Seen          int64 `json:"seen"`
	Admissions    int64 `json:"admissions"`
	Expulsions    int64 `json:"expulsions"`
}

// Verdict is what a check came to.
type Verdict struct {
	Counts   Counts        `json:"counts"`
	Duration time.Duration `json:"duration"`
	// Incomplete says why silence proves nothing: something was not read back.
	Incomplete []string      `json:"incomplete,omitempty"`
	Findings   map[Fault]int `json:"findings"`
	Examples   []Finding     `json:"examples,omitempty"`
	Remarks    []Event       `json:"remarks,omitempty"`
}

// Clean tells whether everything was read back and nothing was found.
func (v Verdict) Clean() bool { return len(v.Incomplete) == 0 && len(v.Findings) == 0 }

// ExitCode is 0 for clean, 1 for findings, 2 where there are none but the history is not complete.
func (v Verdict) ExitCode() int {
	switch {
	case len(v.Findings) > 0:
		return 1
	case len(v.Incomplete) > 0:
		return 2
	}
	return 0
}

// report adds a finding that event e shows.
func (c *Checker) report(kind Fault, cv *conversation, e *Event, format string, args ...any) {
	f := Finding{
		Kind: kind, Text: fmt.Sprintf(format, args...), Conversation: cv.id, Seq: e.Seq, Message: e.Message, Client: e.Client, User: e.User, At: e.At,
	}
	if c.now != nil {
		f.Event = c.verdict.Counts.Events
	}
	if e.Device != "" {
		f.Devices = []string{e.Device}
	}
	c.add(f)
}

// say adds a finding about a message as a whole.
func (c *Checker) say(kind Fault, cv *conversation, m *message, text string) {
	c.add(Finding{Kind: kind, Text: text, Conversation: cv.id, Seq: m.seq, Message: m.id, Client: m.client, User: m.sender, At: c.end})
}

func (c *Checker) add(f Finding) {
	c.verdict.Findings[f.Kind]++
	if c.verdict.Findings[f.Kind] <= c.opts.Examples {
		c.verdict.Examples = append(c.verdict.Examples, f)
	}
}

// Print writes the verdict for people.
func (v Verdict) Print(out io.Writer) {
	n := v.Counts
	row := func(what string, format string, args ...any) {
		fmt.Fprintf(out, "  %-14s%s\n", what, fmt.Sprintf(format, args...))
	}
	fmt.Fprintf(out, "%d events in %s\n", n.Events, v.Duration.Round(time.Second/10))
	row("conversations", "%d, with %d devices", n.Conversations, n.Devices)
	row("connections", "%d, of which %d came back; %d joins, %d replayed, %d had to page", n.Connects, n.Reconnects, n.Joins, n.Replays, n.Unrecovered)
	row("messages", "%d sent in %d tries: %d acknowledged, %d refused, %d unknown; %d in the history", n.Sent, n.Tries, n.Acked, n.Refused, n.Unknown, n.Stored)
	row("deliveries", "%d shown, %d paged, %d notified, %d looked at", n.Shown, n.Paged, n.Notified, n.Looked)
	row("the rest", "%d marks, %d told; %d conflicts; %d admitted, %d expelled", n.Marks, n.Seen, n.Conflicts, n.Admissions, n.Expulsions)
	for _, e := range v.Remarks {
		row(e.At.Round(time.Second/10).String(), "%s", e.Note)
	}
	for _, f := range v.Examples {
		fmt.Fprintf(out, "\n%s: %s\n", f.Kind, f.Text)
		fmt.Fprintf(out, "  conversation %s, number %d, message %s, client id %s, devices %v, at %s, event %d\n",
			f.Conversation, f.Seq, f.Message, f.Client, f.Devices, f.At.Round(time.Millisecond), f.Event)
		for _, e := range f.Events {
			fmt.Fprintf(out, "  %9d %s\n", e.Number, e.Event)
		}
	}
	fmt.Fprintln(out)
	for _, why := range v.Incomplete {
		fmt.Fprintln(out, "INCOMPLETE:", why)
	}
	for _, f := range slices.SortedFunc(maps.Keys(v.Findings), func(a, b Fault) int { return slices.Index(Faults(), a) - slices.Index(Faults(), b) }) {
		fmt.Fprintf(out, "FOUND: %d × %s\n", v.Findings[f], f)
	}
	if v.Clean() {
		fmt.Fprintln(out, "CLEAN: nothing lost, twice, out of order, missing or made up")
	}
}

// String is the event for people: what is empty is left out.
func (e Event) String() string {
	text := fmt.Sprintf("%12s %s", e.At.Round(time.Microsecond*10), e.Kind)
	part := func(name string, v any, has bool) {
		if has {
			text += fmt.Sprintf(" %s=%v", name, v)
		}
	}
	part("device", e.Device, e.Device != "")
	part("user", e.User, e.User != uuid.Nil)
	part("seq", e.Seq, e.Seq != 0)
	part("message", e.Message, e.Message != uuid.Nil)
	part("client", e.Client, e.Client != uuid.Nil)
	part("sender", e.Sender, e.Sender != uuid.Nil)
	part("body", fmt.Sprintf("%016x", uint64(e.Body)), e.Body != 0)
	part("outcome", outcomeNames[e.Outcome%3], e.Outcome != 0 || e.Kind == Answer || e.Kind == Marked)
	part("code", e.Code, e.Code != "")
	part("after", e.AfterSeq, e.Kind == Joined)
	part("last", e.LastSeq, e.Kind == Joined || e.Kind == Inbox || e.Kind == End)
	part("read", e.ReadSeq, e.Kind == Joined || e.Kind == Inbox)
	part("recovered", e.Recovered, e.Kind == Joined)
	part("missed", e.Missed, e.Kind == Joined)
	part("unread", e.Missed, e.Kind == Inbox)
	part("note", e.Note, e.Note != "")
	return text
}
