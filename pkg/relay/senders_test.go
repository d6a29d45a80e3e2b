package relay

import (
	"slices"
	"testing"
	"time"
)

func counted(identity string, count, size int64) entry {
	return entry{sender: "s", identity: identity, counted: true, count: count, size: size}
}

func TestCounts(t *testing.T) {
	tests := []struct {
		name    string
		entries []entry
		want    []verdict
	}{
		{"in order", []entry{counted("a", 2, 2), counted("a", 2, 0), counted("a", 3, 1)}, []verdict{inOrder, inOrder, inOrder}},
		{"the first is not the first", []entry{counted("a", 3, 1), counted("a", 4, 1)}, []verdict{jump, inOrder}},
		{"a batch is missing", []entry{counted("a", 1, 1), counted("a", 5, 2), counted("a", 6, 1)}, []verdict{inOrder, jump, inOrder}},
		{"the last batch is missing", []entry{counted("a", 1, 1), counted("a", 3, 0)}, []verdict{inOrder, jump}},
		{"a retry was appended twice", []entry{counted("a", 2, 2), counted("a", 2, 2), counted("a", 3, 1)}, []verdict{inOrder, duplicate, inOrder}},
		{"a retry came late", []entry{counted("a", 1, 1), counted("a", 2, 1), counted("a", 1, 1), counted("a", 3, 1)}, []verdict{inOrder, inOrder, duplicate, inOrder}},
		{"senders do not mix", []entry{counted("a", 1, 1), counted("b", 1, 1), counted("b", 2, 1), counted("a", 2, 1)}, []verdict{inOrder, inOrder, inOrder, inOrder}},
		{"uncounted", []entry{{sender: "t", size: 3}, {sender: "t", size: 3}}, []verdict{inOrder, inOrder}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := senders{}
			var got []verdict
			for _, e := range test.entries {
				got = append(got, s.heard(e, time.UnixMilli(0)))
			}
			if !slices.Equal(got, test.want) {
				t.Errorf("got %v, want %v", got, test.want)
			}
		})
	}
}

func TestSilence(t *testing.T) {
	now := time.UnixMilli(0)
	limit := 3 * time.Second
	s := senders{}
	if got := s.silent(now.Add(time.Hour), limit); got != nil {
		t.Fatalf("silent, never heard: %v", got)
	}
	s.heard(counted("a", 0, 0), now)
	s.heard(counted("b", 0, 0), now)
	if got := s.silent(now.Add(limit), limit); got != nil {
		t.Fatalf("too early: %v", got)
	}
	if got := s.silent(now.Add(limit+1), limit); len(got) != 2 {
		t.Fatalf("silent: %v", got)
	}
	if got := s.silent(now.Add(2*limit), limit); got != nil {
		t.Fatalf("told twice: %v", got)
	}
	if !s.anySilent() {
		t.Error("nobody is silent, and both are")
	}
	s.heard(counted("a", 0, 0), now.Add(2*limit))
	if got := s.silent(now.Add(4*limit), limit); len(got) != 1 {
		t.Fatalf("a new silence: %v", got)
	}
	goodbye := counted("b", 0, 0)
	goodbye.goodbye = true
	s.heard(goodbye, now.Add(4*limit))
	s.silent(now.Add(4*limit+forgetSender), limit)
	if len(s) != 0 || s.anySilent() {
		t.Errorf("%d senders are remembered", len(s))
	}
}

func TestEntriesOfBoundedSize(t *testing.T) {
	small, large := make([]byte, 100<<10), make([]byte, maxEntryBytes+1)
	var sizes []int
	for part := range parts([][]byte{small, small, small, small, small, small, large, small}) {
		sizes = append(sizes, len(part))
	}
	if !slices.Equal(sizes, []int{5, 1, 1, 1}) {
		t.Errorf("entries of %v envelopes", sizes)
	}
}

func TestEntryIDs(t *testing.T) {
	for _, test := range []struct {
		a, b string
		want bool
	}{{"1-1", "1-2", true}, {"9-9", "10-0", true}, {"10-0", "9-9", false}, {"5-5", "5-5", false}, {"5-5", "0-0", false}} {
		if got := before(test.a, test.b); got != test.want {
			t.Errorf("before(%s, %s) = %v", test.a, test.b, got)
		}
	}
}
