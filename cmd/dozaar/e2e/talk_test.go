package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// talk is two people in a conversation, each at a gateway of their own. It holds them to one thing throughout: the
// seller is shown every message once, in order, without a gap.
type talk struct {
	id            string
	buyer, seller *peer
	heard         []message // by the seller
	acknowledged  []string  // to the buyer: ids, in order
}

// message is one as a client or the history has it.
type message struct {
	ID      string
	Seq     int
	Message string
}

// talk makes a conversation, with that id if it is not empty, and joins it.
func (p *product) talk(bea, sam person, id string) *talk {
	p.t.Helper()
	return p.goOn(bea, sam, p.gateways[0].conversationAs(id, bea, sam))
}

// goOn joins a conversation that is there, and at rest: what is in its history counts as heard.
func (p *product) goOn(bea, sam person, id string) *talk {
	p.t.Helper()
	first, last := p.gateways[0], p.gateways[len(p.gateways)-1]
	c := &talk{id: id, buyer: first.connect(bea), seller: last.connect(sam), heard: p.history(id)}
	p.t.Cleanup(c.buyer.close)
	p.t.Cleanup(c.seller.close)
	for _, one := range []*peer{c.buyer, c.seller} {
		one.readAhead()
		if answer := one.ask("join:conversation", `{"conversationId":"`+c.id+`","afterSeq":0}`); !answer.OK {
			p.t.Fatalf("%+v", answer)
		}
	}
	return c
}

// send is one try, and what it was answered.
func (c *talk) send(text, clientMessageID string) (code string) {
	c.buyer.t.Helper()
	answer := c.buyer.ask("send:message", fmt.Sprintf(`{"conversationId":%q,"message":%q,"clientMessageId":%q}`, c.id, text, clientMessageID))
	if answer.OK {
		c.acknowledged = append(c.acknowledged, answer.MessageID)
	}
	return answer.Code
}

// say has the buyer send, until it is acknowledged, and waits until the seller has seen it.
func (c *talk) say(text string) {
	c.buyer.t.Helper()
	id, end := newPerson("x").ID, time.Now().Add(startPatience)
	for code := c.send(text, id); code != ""; code = c.send(text, id) {
		if time.Now().After(end) || code != "unavailable" {
			c.buyer.t.Fatalf("%q is still refused: %s", text, code)
		}
		time.Sleep(100 * time.Millisecond)
	}
	for c.hear().Message != text {
	}
}

// hear waits for the seller's next message, which must have the next number.
func (c *talk) hear() (m message) {
	c.seller.t.Helper()
	got := c.seller.until(`42/chat,["new:message",`)
	if err := json.Unmarshal([]byte(strings.TrimSuffix(got, "]")), &m); err != nil {
		c.seller.t.Fatalf("%s: %v", got, err)
	}
	c.heard = append(c.heard, m)
	if m.Seq != len(c.heard) {
		c.seller.t.Fatalf("message %d came as the %dth", m.Seq, len(c.heard))
	}
	return m
}

// settle insists that all that was acknowledged was heard, in the order of the acknowledgements, and that
// what was heard is the history.
func (c *talk) settle(p *product) {
	p.t.Helper()
	rest := c.heard
	for _, id := range c.acknowledged {
		for len(rest) > 0 && rest[0].ID != id {
			rest = rest[1:] // one that was not acknowledged may be there all the same
		}
		if len(rest) == 0 {
			p.t.Fatalf("%s was acknowledged and is not there, or not in order", id)
		}
	}
	ids := map[string]bool{}
	for _, m := range c.heard {
		if ids[m.ID] {
			p.t.Errorf("%s came twice", m.ID)
		}
		ids[m.ID] = true
	}
	if got, want := fmt.Sprint(p.history(c.id)), fmt.Sprint(c.heard); got != want {
		p.t.Errorf("the history is %s, heard was %s", got, want)
	}
}

// history is a conversation's messages.
func (p *product) history(conversation string) (all []message) {
	p.t.Helper()
	for {
		var page struct{ Messages []message }
		path := fmt.Sprintf("/v1/conversations/%s/messages?afterSeq=%d&limit=100", conversation, len(all))
		if p.gateways[0].api(http.MethodGet, path, nil, http.StatusOK, &page); len(page.Messages) == 0 {
			return all
		}
		all = append(all, page.Messages...)
	}
}
