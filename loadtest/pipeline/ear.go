package main

import (
	"bytes"
	"fmt"
)

// ear is what one connection has heard; only its reader uses it.
type ear struct {
	talk   *talk
	member int
	joined chan struct{}
	last   int64
}

var (
	newMessage  = []byte(`42/chat,["new:message",`)
	anException = []byte(`42/chat,["exception",`)
	anAck       = []byte(`43/chat,`)
	anError     = []byte(`44/chat,`)
	seqField    = []byte(`"seq":`)
	textField   = []byte(`"message":"`)
	okField     = []byte(`"ok":true`)
)

// message checks one that came: messages must come in the order of their numbers, each once, and none left out.
func (e *ear) message(payload []byte) error {
	switch {
	case bytes.HasPrefix(payload, newMessage):
		e.hear(payload)
	case bytes.HasPrefix(payload, anAck):
		rest := payload[len(anAck):]
		n, size := number(rest)
		ok := bytes.Contains(rest, okField)
		if n == 0 {
			if !ok {
				return fmt.Errorf("not joined: %s", payload)
			}
			close(e.joined)
			return nil
		}
		if size > 0 && n == 1 {
			e.talk.load.keep(func(s *samples) { s.Ack = string(payload) })
		}
		e.talk.acknowledged(n, ok)
	case bytes.HasPrefix(payload, anException), bytes.HasPrefix(payload, anError):
		e.talk.load.fault("%s", payload)
	}
	return nil // others, such as who came online, are no concern of ours
}

func (e *ear) hear(payload []byte) {
	n, _ := number(after(payload, textField))
	seq, _ := number(after(payload, seqField))
	if n != e.last+1 || seq != n && !e.talk.load.bare {
		e.talk.load.fault("%s: message %d with seq %d came after %d", e.talk.id, n, seq, e.last)
	}
	e.last = n
	if e.member > 0 {
		e.talk.delivered(n)
	} else if n == 1 {
		e.talk.load.keep(func(s *samples) { s.Message = string(payload) })
	}
}

func after(payload, mark []byte) []byte {
	_, rest, _ := bytes.Cut(payload, mark)
	return rest
}

// number reads the digits that a text begins with.
func number(text []byte) (n int64, size int) {
	for size < len(text) && text[size] >= '0' && text[size] <= '9' {
		n = n*10 + int64(text[size]-'0')
		size++
	}
	return n, size
}
