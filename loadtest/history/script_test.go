package history

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

// A script is a history by hand, a line for an event: its kind, who, and what. A device is called by its
// user and a number; m3 is the third message, with its number, ids, body and sender; name=value changes a field.
// Each event is a millisecond after the one before, and wait=9s waits before it.

func testID(kind byte, n int) (id uuid.UUID) {
	id[0], id[14], id[15] = kind, byte(n>>8), byte(n)
	return id
}

var testUsers = map[string]uuid.UUID{"bea": testID('u', 1), "sam": testID('u', 2), "eve": testID('u', 3)}

// senders of m1, m2, …
var senders = []string{"bea", "sam", "bea", "bea", "sam", "bea", "sam", "eve"}

func script(t *testing.T, text string) []Event {
	t.Helper()
	var events []Event
	at := time.Duration(0)
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) == 0 {
			continue
		}
		at += time.Millisecond
		e := Event{Conversation: testID('c', 1)}
		for k := Kind(1); k < kinds; k++ {
			if k.String() == words[0] {
				e.Kind = k
			}
		}
		if e.Kind == 0 {
			t.Fatalf("%q is no event", line)
		}
		if e.Kind == Connected || e.Kind == Disconnected || e.Kind == Settled {
			e.Conversation = uuid.Nil
		}
		for _, word := range words[1:] {
			name, value, has := strings.Cut(word, "=")
			switch {
			case has:
				set(t, &e, &at, name, value)
			case word[0] == 'm':
				n, _ := strconv.Atoi(word[1:])
				e.Seq, e.Message, e.Client, e.Body, e.Sender = int64(n), testID('m', n), testID('k', n), Body(n), testUsers[senders[n-1]]
			default:
				e.User = testUsers[strings.TrimRight(word, "0123456789")]
				if e.User != testUsers[word] {
					e.Device = word
				}
			}
		}
		switch e.Kind {
		case Send, Answer, Conflict:
			e.Seq, e.Sender = 0, uuid.Nil
			if e.Kind != Answer || e.Outcome != OK {
				e.Message = uuid.Nil
			}
		case Notified, Mark, Marked:
			e.Client, e.Body = uuid.Nil, 0
			if e.Kind != Notified {
				e.Sender = uuid.Nil
			}
		case Joined:
			e.Recovered = e.Recovered || !strings.Contains(line, "recovered=")
			if e.AfterSeq >= 0 && !strings.Contains(line, "missed=") {
				e.Missed = max(0, e.LastSeq-e.AfterSeq)
			}
		case Inbox:
			if !strings.Contains(line, "missed=") {
				e.Missed = e.LastSeq - e.ReadSeq
			}
		}
		e.At = at
		events = append(events, e)
	}
	return events
}

func set(t *testing.T, e *Event, at *time.Duration, name, value string) {
	t.Helper()
	n, err := strconv.ParseInt(value, 10, 64)
	switch name {
	case "seq":
		e.Seq = n
	case "body":
		e.Body = Body(n)
	case "message":
		e.Message = testID('m', int(n))
	case "client":
		if e.Client = testID('k', int(n)); n == 0 {
			e.Client = uuid.Nil
		}
	case "sender":
		e.Sender, err = testUsers[value], nil
	case "after":
		e.AfterSeq = n
	case "last":
		e.LastSeq = n
	case "read":
		e.ReadSeq = n
	case "missed":
		e.Missed = n
	case "recovered":
		e.Recovered, err = strconv.ParseBool(value)
	case "outcome":
		e.Outcome, err = map[string]Outcome{"ok": OK, "refused": Refused, "unknown": Unknown}[value], nil
	case "code":
		e.Code, err = value, nil
	case "wait":
		var d time.Duration
		d, err = time.ParseDuration(value)
		*at += d
	default:
		t.Fatalf("no field is called %q", name)
	}
	if err != nil {
		t.Fatal(err)
	}
}
