package api

import (
	"net/http"
	"time"

	"github.com/dozaar/dozaar/pkg/auth"
	"github.com/dozaar/dozaar/pkg/chat"
)

// createConversation makes a conversation, or answers the one that its key or id names already. The
// word of it is published each time, so that asking again heals one that was lost on the way.
func (a *api) createConversation(r *http.Request, _ auth.Identity) (answer, error) {
	var body newConversation
	if err := readBody(r, &body); err != nil {
		return answer{}, err
	}
	asked, err := body.conversation()
	if err != nil {
		return answer{}, err
	}
	asked.Revision, asked.CreatedAt = 1, a.now()
	if asked.ID == (chat.ID{}) {
		if asked.Key != "" {
			asked.ID = chat.ConversationIDFromKey(asked.Key)
		} else {
			asked.ID = chat.NewID()
		}
	}
	stored, created, err := a.Conversations.CreateConversation(r.Context(), asked)
	if err != nil {
		return answer{}, err
	}
	err = a.Publisher.PublishConversation(r.Context(), chat.ConversationEvent{
		Change: chat.Created, Conversation: stored, At: stored.CreatedAt,
	})
	if err != nil {
		return answer{}, err
	}
	if created {
		return answer{http.StatusCreated, viewConversation(stored, 0)}, nil
	}
	return a.answerConversation(r, stored)
}

func (a *api) getConversation(r *http.Request, who auth.Identity) (answer, error) {
	c, err := a.visible(r, who)
	if err != nil {
		return answer{}, err
	}
	return a.answerConversation(r, c)
}

func (a *api) answerConversation(r *http.Request, c chat.Conversation) (answer, error) {
	heads, err := a.History.Heads(r.Context(), []chat.ID{c.ID})
	if err != nil {
		return answer{}, err
	}
	return answer{http.StatusOK, viewConversation(c, heads[c.ID].Seq)}, nil
}

// visible reads the conversation that the path names, for one of its members or the marketplace. For
// everybody else it is not there, and neither is one whose id is no UUID.
func (a *api) visible(r *http.Request, who auth.Identity) (chat.Conversation, error) {
	id, ok := chat.ParseID(r.PathValue("id"))
	if !ok {
		return chat.Conversation{}, chat.ErrNotFound
	}
	c, err := a.Conversations.Conversation(r.Context(), id)
	if err != nil {
		return chat.Conversation{}, err
	}
	if _, member := c.Member(who.User.ID); !member && !who.Service {
		return chat.Conversation{}, chat.ErrNotFound
	}
	return c, nil
}

// now is the time as it is stored and told: UTC, milliseconds.
func (a *api) now() time.Time { return a.Now().UTC().Truncate(time.Millisecond) }
