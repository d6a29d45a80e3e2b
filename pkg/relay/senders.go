package relay

import (
	"fmt"
	"strconv"
	"time"
)

// entry is one entry of a stream.
type entry struct {
	sender, identity string
	counted          bool
	count            int64 // envelopes so far, this entry's included
	envelopes        []Envelope
	size             int64 // how many envelopes the sender put in
	goodbye          bool
}

// parseEntry reads an entry's fields. With an error, what could be read is returned all the same:
// the count still tells whether anything else is missing.
func parseEntry(values map[string]any) (e entry, err error) {
	field := func(name string) string {
		s, _ := values[name].(string)
		return s
	}
	e.sender, e.identity, e.goodbye = field(fieldSender), field(fieldIdentity), field(fieldGoodbye) != ""
	if batch := field(fieldBatch); batch != "" {
		e.envelopes, err = decode([]byte(batch))
		e.size = int64(len(e.envelopes))
	}
	if n := field(fieldCount); n != "" && e.identity != "" {
		count, bad := strconv.ParseInt(n, 10, 64)
		if bad != nil {
			return e, fmt.Errorf("relay: count of sender %q: %w", e.sender, bad)
		}
		e.counted, e.count = true, count
	}
	return e, err
}

// verdict is what an entry's count says.
type verdict int

const (
	inOrder   verdict = iota
	jump              // something before this entry is missing
	duplicate         // this entry was seen before
)

// senders is what a receiver knows of those it has heard, by the identity of their count.
type senders map[string]*heard

type heard struct {
	name   string
	count  int64
	at     time.Time
	silent bool // and the gateway was told so
}

// forgetSender is how long a silent sender is remembered.
const forgetSender = 10 * time.Minute

// heard notes an entry and judges its count.
func (s senders) heard(e entry, now time.Time) verdict {
	if !e.counted {
		return inOrder
	}
	h := s[e.identity]
	if h == nil {
		h = &heard{name: e.sender}
		s[e.identity] = h
	}
	expected := h.count + e.size
	h.at, h.silent = now, false
	if e.goodbye {
		delete(s, e.identity)
	}
	switch {
	case e.count < expected:
		return duplicate
	case e.count > expected:
		h.count = e.count
		return jump
	}
	h.count = e.count
	return inOrder
}

// anySilent tells whether the last that was asked about the silent ones named some that have not been heard since, nor forgotten.
func (s senders) anySilent() bool {
	for _, h := range s {
		if h.silent {
			return true
		}
	}
	return false
}

// silent names the senders that were heard before, but not for longer than limit; each silence once.
func (s senders) silent(now time.Time, limit time.Duration) (names []string) {
	for identity, h := range s {
		age := now.Sub(h.at)
		if age > limit && !h.silent {
			h.silent = true
			names = append(names, h.name)
		}
		if age > forgetSender {
			delete(s, identity)
		}
	}
	return names
}
