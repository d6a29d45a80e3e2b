package api

import (
	"net/http"

	"github.com/dozaar/dozaar/pkg/auth"
	"github.com/dozaar/dozaar/pkg/chat"
)

// sent is the answer to a message that Kafka has. A retry gets the same one as the first try.
type sent struct {
	MessageID       chat.ID `json:"messageId"`
	ConversationID  chat.ID `json:"conversationId"`
	ClientMessageID chat.ID `json:"clientMessageId,omitzero"`
	CreatedAt       string  `json:"createdAt"`
}

// sendMessage writes a message as the token's user, whom the marketplace chooses where the token has
// its scope. The message has no number yet: it gets one on its way through the log.
func (a *api) sendMessage(r *http.Request, who auth.Identity) (answer, error) {
	var body newMessage
	if err := readBody(r, &body); err != nil {
		return answer{}, err
	}
	draft, err := body.draft()
	if err != nil {
		return answer{}, err
	}
	if err := draft.ValidateAt(a.now()); err != nil {
		return answer{}, err
	}
	c, err := a.visible(r, who)
	if err != nil {
		return answer{}, err
	}
	m := draft.New(c.ID, who.User, a.now())
	first, retried, err := a.earlier(r, m)
	if err != nil {
		return answer{}, err
	}
	if retried {
		m.CreatedAt = first.CreatedAt
	} else if err := a.Publisher.PublishMessage(r.Context(), m); err != nil {
		return answer{}, err
	}
	return answer{http.StatusCreated, sent{m.ID, m.ConversationID, m.ClientMessageID, m.CreatedAt.UTC().Format(chat.TimeFormat)}}, nil
}

// earlier finds the message that m is a retry of, if it is stored by now; another body under the same
// client message id is a conflict. A retry that comes sooner, or while the table cannot be asked, goes
// to the log like a first try: whoever numbers the log knows it for what it is.
func (a *api) earlier(r *http.Request, m chat.Message) (first chat.StoredID, retried bool, err error) {
	if m.ClientMessageID == (chat.ID{}) {
		return first, false, nil
	}
	stored, err := a.History.StoredByID(r.Context(), []chat.ID{m.ID})
	if err != nil {
		a.Logger.WarnContext(r.Context(), "cannot tell whether a message is a retry", "error", err)
		return first, false, nil
	}
	first, retried = stored[m.ID]
	if retried && first.BodyHash != m.BodyHash() {
		return first, true, chat.ErrConflict
	}
	return first, retried, nil
}
