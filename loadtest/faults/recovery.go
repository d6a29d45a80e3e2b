package main

import (
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/dozaar/dozaar/loadtest/history"
)

// Messages flow in a window of time if of those that were due in it nearly all were acknowledged soon, and of the deliveries
// of those nearly all came soon, both counted from when the message was due.
const (
	window = 500 * time.Millisecond
	soon   = time.Second
	nearly = 0.95
	steady = 5 * time.Second // for so long it must flow to be called recovered
)

// flow is what the history tells of each window.
type flow struct {
	windows []tally
	faults  []time.Duration // when they were made
	healed  []time.Duration
}

// tally counts messages: sent, acknowledged at any time and soon; and their deliveries.
type tally struct{ sent, answered, acked, deliveries, delivered int }

func (t tally) flows() bool {
	return float64(t.acked) >= nearly*float64(t.sent) && float64(t.delivered) >= nearly*float64(t.deliveries)
}

// measured is what came of a round for those who waited.
type measured struct {
	Quiet    float64        `json:"quiet"`              // share of the windows before the fault in which messages flowed
	Reached  float64        `json:"reached"`            // messages a second that were acknowledged before the fault
	Fault    time.Duration  `json:"fault"`              // when, since the load began
	Recovery *time.Duration `json:"recovery,omitempty"` // nil: not before the load ended
	Outage   time.Duration  `json:"outage"`             // the longest time without flow, from the fault on
	Relapses int            `json:"relapses"`           // windows without flow after it was recovered
}

// measure reads a history. Where total, recovery counts from the last healing.
func measure(source history.Source, total bool) (m measured, err error) {
	f, err := readFlow(source)
	if err != nil || len(f.faults) == 0 {
		return m, err
	}
	at := f.faults[0]
	m.Fault = at
	first := slices.IndexFunc(f.windows, func(t tally) bool { return t.sent > 0 })
	quiet, flowing, acked := 0, 0, 0
	for _, t := range f.windows[max(first, 0):min(int(at/window), len(f.windows))] {
		quiet++
		acked += t.answered
		if t.flows() {
			flowing++
		}
	}
	if quiet > 0 {
		m.Quiet = float64(flowing) / float64(quiet)
		m.Reached = float64(acked) / (time.Duration(quiet) * window).Seconds()
	}
	from := at
	if total && len(f.healed) > 0 {
		from = f.healed[len(f.healed)-1]
	}
	m.Recovery, m.Relapses = f.recovery(from)
	run := time.Duration(0)
	for _, t := range f.windows[min(int(at/window), len(f.windows)):] {
		if t.flows() {
			run = 0
			continue
		}
		run += window
		m.Outage = max(m.Outage, run)
	}
	return m, nil
}

// recovery is after how long messages flow, and go on flowing.
func (f *flow) recovery(from time.Duration) (after *time.Duration, relapses int) {
	run, need := 0, int(steady/window)
	for i := min(int(from/window), len(f.windows)); i < len(f.windows); i++ {
		switch flows := f.windows[i].flows(); {
		case after != nil && !flows:
			relapses++
		case !flows:
			run = 0
		default:
			if run++; run >= need && after == nil {
				d := max(0, time.Duration(i+1-run)*window-from)
				after = &d
			}
		}
	}
	return after, relapses
}

// readFlow counts messages by when they were due. What a device gets late because it was not in the room does not count:
// what a first join replays, and one after leaving.
func readFlow(source history.Source) (*flow, error) {
	type place struct {
		conversation uuid.UUID
		device       string
	}
	type key struct {
		conversation, sender, client uuid.UUID
		body                         history.Body
	}
	f := &flow{}
	due := map[key]time.Duration{}
	acked := map[key]bool{}
	inside := map[place]bool{} // it has been in the room, and has not left
	upTo := map[place]int64{}
	at := func(due time.Duration) *tally {
		i := int(max(due, 0) / window)
		for len(f.windows) <= i {
			f.windows = append(f.windows, tally{})
		}
		return &f.windows[i]
	}
	for e, err := range source() {
		if err != nil {
			return f, err
		}
		p := place{e.Conversation, e.Device}
		k := key{e.Conversation, e.User, e.Client, e.Body}
		switch e.Kind {
		case history.Send:
			if _, again := due[k]; !again {
				due[k] = e.At - e.Due
				at(due[k]).sent++
			}
		case history.Answer:
			if d, sent := due[k]; sent && !acked[k] && e.Outcome != history.Unknown { // a conflict is an answer too
				acked[k] = true
				at(d).answered++
				if e.At-d <= soon {
					at(d).acked++
				}
			}
		case history.Left:
			inside[p] = false
		case history.Joined:
			if !inside[p] {
				upTo[p] = e.LastSeq
			}
			inside[p] = true
		case history.Shown, history.Paged:
			k.sender = e.Sender
			if d, sent := due[k]; sent && e.Seq > upTo[p] {
				at(d).deliveries++
				if e.At-d <= soon {
					at(d).delivered++
				}
			}
		case history.Remark:
			if strings.HasPrefix(e.Note, faultMark) {
				f.faults = append(f.faults, e.At)
			}
			if strings.HasPrefix(e.Note, healMark) {
				f.healed = append(f.healed, e.At)
			}
		}
	}
	return f, nil
}
