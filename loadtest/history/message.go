package history

import "github.com/google/uuid"

// key is how a client knows its message: by sender and client id, or by what it says.
type key struct {
	sender, client uuid.UUID
	body           Body // where there is no client id
}

func keyOf(sender, client uuid.UUID, body Body) key {
	if client != uuid.Nil {
		return key{sender: sender, client: client}
	}
	return key{sender: sender, body: body}
}

// message is one sent message, or one that nobody sent.
type message struct {
	key
	id     uuid.UUID // once the server has told it
	seq    int64     // as it was first heard of
	body   Body      // as it was first heard of
	tries  []try     // by body: one, unless a client id was used for two
	stored int       // how often it is in the final history
	told   bool      // the sender heard of a conflict

	phantom  bool // nobody sent it
	shown    bool // somebody was shown it
	renumber bool // it was heard of under two numbers
}

func (cv *conversation) add(k key) *message {
	m := &message{key: k}
	cv.byKey[k] = m
	cv.messages = append(cv.messages, m)
	return m
}

// identify finds the message that came, and reports where it is not what was sent or what others saw.
func (c *Checker) identify(cv *conversation, e *Event) *message {
	m := cv.byKey[keyOf(e.Sender, e.Client, e.Body)]
	if m == nil {
		m = cv.byID[e.Message]
	}
	if m == nil {
		m = cv.add(keyOf(e.Sender, e.Client, e.Body))
		m.phantom = true
		c.report(Phantom, cv, e, "nobody sent this message")
	}
	switch {
	case m.phantom:
	case e.Sender != m.sender:
		c.report(Altered, cv, e, "it was sent by %s, not by %s", m.sender, e.Sender)
	case e.Client != m.client:
		c.report(Altered, cv, e, "it was sent with another client id")
	case m.try(e.Body) == nil:
		c.report(Altered, cv, e, "its body is not what was sent")
	case m.body != 0 && m.body != e.Body:
		c.report(TwoBodies, cv, e, "one client id, and here another body than before")
	}
	if m.body == 0 {
		m.body = e.Body
	}
	c.number(cv, m, e)
	c.named(cv, m, e)
	return m
}

// number holds the message and its number against what was known of both.
func (c *Checker) number(cv *conversation, m *message, e *Event) {
	switch other := cv.bySeq[e.Seq]; {
	case other == nil:
		cv.bySeq[e.Seq] = m
	case other != m:
		c.report(Disagreeing, cv, e, "this number was another message's, %s", other.id)
		return
	}
	switch {
	case m.seq == 0:
		m.seq = e.Seq
	case m.seq != e.Seq && !m.renumber:
		m.renumber = true
		c.report(Disagreeing, cv, e, "this message had the number %d", m.seq)
	}
}

// named holds the message and its id against what was known of both.
func (c *Checker) named(cv *conversation, m *message, e *Event) {
	if c.opts.Unkept && e.Message == uuid.Nil {
		return
	}
	switch other := cv.byID[e.Message]; {
	case other == nil:
		cv.byID[e.Message] = m
	case other != m:
		c.report(Disagreeing, cv, e, "this id was another message's, number %d", other.seq)
		return
	}
	switch {
	case m.id == uuid.Nil:
		m.id = e.Message
	case m.id != e.Message:
		c.report(Disagreeing, cv, e, "this message had the id %s", m.id)
	}
}

// notified checks what a notification tells: a number, an id and a sender, of a message of somebody else's.
func (c *Checker) notified(cv *conversation, e *Event) {
	if e.Sender == e.User {
		c.report(Uninvited, cv, e, "the sender was notified of a message of their own")
	}
	m := cv.byID[e.Message]
	if m == nil { // overtaken by it is the acknowledgement only, which brings the id
		m = cv.bySeq[e.Seq]
	}
	if m == nil {
		cv.early = append(cv.early, *e)
		return
	}
	m.shown = true
	if m.sender != e.Sender {
		c.report(Altered, cv, e, "it was sent by %s, not by %s", m.sender, e.Sender)
	}
	c.number(cv, m, e)
	c.named(cv, m, e)
}
