package api

import (
	"net/http"

	"github.com/dozaar/dozaar/pkg/auth"
	"github.com/dozaar/dozaar/pkg/chat"
)

// messagesPage is a stretch of a conversation in the order in which it was said. Next goes into the
// parameter that this page was asked by: `afterSeq`, else `beforeSeq`.
type messagesPage struct {
	Messages []chat.Message `json:"messages"`
	Next     *int64         `json:"next"`
}

// messages reads history: forwards from `afterSeq`, or backwards from `beforeSeq`, which is the end
// where neither is given.
func (a *api) messages(r *http.Request, who auth.Identity) (answer, error) {
	p, err := query(r)
	if err != nil {
		return answer{}, err
	}
	limit, err := p.limit()
	if err != nil {
		return answer{}, err
	}
	after, forwards, err := p.number("afterSeq", 0)
	if err != nil {
		return answer{}, err
	}
	before, backwards, err := p.number("beforeSeq", 1)
	if err != nil {
		return answer{}, err
	}
	if forwards && backwards {
		return answer{}, chat.Invalid("beforeSeq", "cannot be given together with afterSeq")
	}
	c, err := a.visible(r, who)
	if err != nil {
		return answer{}, err
	}
	read := a.backwards
	from := before
	if forwards {
		read, from = a.forwards, after
	}
	page, err := read(r, c.ID, from, limit)
	if err != nil {
		return answer{}, err
	}
	if page.Messages == nil {
		page.Messages = []chat.Message{}
	}
	return answer{http.StatusOK, page}, nil
}

// forwards asks for one message more than fits, to know whether there is another page.
func (a *api) forwards(r *http.Request, conversation chat.ID, after int64, limit int) (messagesPage, error) {
	list, err := a.History.Messages(r.Context(), conversation, after, limit+1)
	if err != nil || len(list) <= limit {
		return messagesPage{Messages: list}, err
	}
	return messagesPage{Messages: list[:limit], Next: &list[limit-1].Seq}, nil
}

// backwards knows it from the number alone: a conversation's first message is 1.
func (a *api) backwards(r *http.Request, conversation chat.ID, before int64, limit int) (messagesPage, error) {
	list, err := a.History.MessagesBefore(r.Context(), conversation, before, limit)
	if err != nil || len(list) == 0 || list[0].Seq <= 1 {
		return messagesPage{Messages: list}, err
	}
	return messagesPage{Messages: list, Next: &list[0].Seq}, nil
}
