package api

import (
	"fmt"
	"net/http"

	"github.com/dozaar/dozaar/pkg/auth"
	"github.com/dozaar/dozaar/pkg/chat"
)

// putMember adds a member or changes their name and role.
func (a *api) putMember(r *http.Request, who auth.Identity) (answer, error) {
	user, err := pathUser(r)
	if err != nil {
		return answer{}, err
	}
	var body newMember
	if err := readBody(r, &body); err != nil {
		return answer{}, err
	}
	m := body.member()
	if m.UserID != (chat.ID{}) && m.UserID != user {
		return answer{}, chat.Invalid("userId", "is another one than in the path")
	}
	m.UserID = user
	if err := m.Validate(); err != nil {
		return answer{}, err
	}
	before, err := a.visible(r, who)
	if err != nil {
		return answer{}, err
	}
	if _, known := before.Member(user); !known && len(before.Members) >= chat.MaxMembers {
		return answer{}, chat.Invalid("userId", fmt.Sprintf("the conversation has %d members, and more are not allowed", chat.MaxMembers))
	}
	after, err := a.Conversations.PutMember(r.Context(), before.ID, m)
	if err != nil {
		return answer{}, err
	}
	if err := a.tell(r, chat.MemberPut, after, user); err != nil {
		return answer{}, err
	}
	return a.answerConversation(r, after)
}

// removeMember takes a member out; one who is out already stays out.
func (a *api) removeMember(r *http.Request, who auth.Identity) (answer, error) {
	user, err := pathUser(r)
	if err != nil {
		return answer{}, err
	}
	before, err := a.visible(r, who)
	if err != nil {
		return answer{}, err
	}
	after, err := a.Conversations.RemoveMember(r.Context(), before.ID, user)
	if err != nil {
		return answer{}, err
	}
	if err := a.tell(r, chat.MemberRemoved, after, user); err != nil {
		return answer{}, err
	}
	return answer{status: http.StatusNoContent}, nil
}

// tell publishes a change of members, again for each time it was asked for: the word may have been
// lost after the change was stored.
func (a *api) tell(r *http.Request, change chat.Change, after chat.Conversation, user chat.ID) error {
	return a.Publisher.PublishConversation(r.Context(), chat.ConversationEvent{
		Change: change, Conversation: after, UserID: user, At: a.now(),
	})
}

func pathUser(r *http.Request) (chat.ID, error) {
	id, ok := chat.ParseID(r.PathValue("userId"))
	if !ok {
		return chat.ID{}, chat.Invalid("userId", "must be a UUID")
	}
	return id, nil
}
