package api

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/dozaar/dozaar/pkg/auth"
	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/schemas"
)

// Erasures remembers how far the erasing of what somebody wrote has come.
type Erasures interface {
	PutErasure(ctx context.Context, e chat.Erasure) error
	// AuthorsKnown tells whether all that somebody wrote is found.
	AuthorsKnown(ctx context.Context) (bool, error)
	Erasure(ctx context.Context, user chat.ID) (e chat.Erasure, found bool, err error)
}

// erasureView is an erasure as the marketplace's backend sees it.
type erasureView struct {
	UserID        chat.ID  `json:"userId"`
	State         string   `json:"state"` // requested or done
	RequestedAt   string   `json:"requestedAt"`
	FinishedAt    string   `json:"finishedAt,omitempty"`
	Conversations int64    `json:"conversations"`
	Messages      int64    `json:"messages"`
	Remains       []remain `json:"remains"`
}

// remain is what is left of what the person wrote or did.
type remain struct {
	Where string `json:"where"`
	What  string `json:"what"`
	Until string `json:"until,omitempty"` // none: until somebody ends it
}

// erase asks for everything to be erased that the user has written up to now. It is remembered only once it is told, so
// that what is remembered is also done. An erasure that is under way is asked for once more, which does no harm.
func (a *api) erase(r *http.Request, _ auth.Identity) (answer, error) {
	user, err := pathUser(r)
	if err != nil {
		return answer{}, err
	}
	e, found, err := a.Erasures.Erasure(r.Context(), user)
	if err != nil {
		return answer{}, err
	}
	if !found || !e.FinishedAt.IsZero() {
		at := a.now().Truncate(time.Millisecond)
		if least := e.RequestedAt.Add(time.Millisecond); found && at.Before(least) {
			at = least // by a clock that was ahead; of two requests the newer one counts
		}
		e = chat.Erasure{UserID: user, RequestedAt: at}
	}
	event := chat.ErasureEvent{Change: chat.ErasureRequested, UserID: user, RequestedAt: e.RequestedAt, At: a.now()}
	if err := a.Publisher.PublishErasure(r.Context(), event); err != nil {
		return answer{}, err
	}
	if err := a.Erasures.PutErasure(r.Context(), e); err != nil { // of what has come further by now nothing is taken back
		return answer{}, err
	}
	return a.answerErasure(r.Context(), http.StatusAccepted, e)
}

// erasure is how far it has come, and what remains.
func (a *api) erasure(r *http.Request, _ auth.Identity) (answer, error) {
	user, err := pathUser(r)
	if err != nil {
		return answer{}, err
	}
	e, found, err := a.Erasures.Erasure(r.Context(), user)
	if err != nil {
		return answer{}, err
	}
	if !found {
		return answer{}, &chat.Error{Code: chat.CodeNotFound, Message: "nobody has asked for this user to be erased"}
	}
	return a.answerErasure(r.Context(), http.StatusOK, e)
}

func (a *api) answerErasure(ctx context.Context, status int, e chat.Erasure) (answer, error) {
	known, err := a.Erasures.AuthorsKnown(ctx)
	if err != nil {
		return answer{}, err
	}
	view := erasureView{
		UserID: e.UserID, State: "requested", RequestedAt: e.RequestedAt.UTC().Format(chat.TimeFormat),
		Conversations: e.Conversations, Messages: e.Messages,
	}
	from := a.now() // what is still to be told is kept from then on, at the latest
	if !e.FinishedAt.IsZero() {
		from = e.FinishedAt
		view.State, view.FinishedAt = "done", from.UTC().Format(chat.TimeFormat)
	}
	if !known {
		view.Remains = append(view.Remains, remain{
			Where: "history", What: "all of the messages that a release without the table authors has stored: nobody has looked for them; run `dozaar migrate --authors`, then ask for the erasure again",
		})
	}
	topics, err := schemas.Topics()
	if err != nil {
		return answer{}, err
	}
	for _, t := range topics {
		view.Remains = append(view.Remains, remain{
			Where: "topic " + t.Name, What: "records, until their retention ends: " + strings.Join(t.PersonalData, ", "), Until: from.Add(t.GoneAfter()).UTC().Format(chat.TimeFormat),
		})
	}
	view.Remains = append(view.Remains,
		remain{Where: "streams of the relay, in Redis", What: "messages on their way to gateways", Until: from.Add(relayed).UTC().Format(chat.TimeFormat)},
		remain{Where: "history", What: "that the person sent a message, its number and when; no text, attachment or name"},
		remain{Where: "members of conversations", What: "the person's id, name and role, until they are removed as members; each change of such a conversation tells them once more in chat.conversations"},
		remain{Where: "settings", What: "whether the person is invisible, and which conversations they muted"},
		remain{Where: "calls", What: "for which message of a conversation the person was last called, and when"},
		remain{Where: "presence, in Redis", What: "whether the person is online, and when last; ends 30 days after they were"},
		remain{Where: "archive, messages", What: "as in the history, once `dozaar archive` has read chat.erasures; folders and files that it no longer looks after keep all"},
		remain{Where: "archive, other events", What: "the person's id, name and role as a member, what they read and that they were erased; until those files are deleted"},
		remain{Where: "archive, event=unreadable", What: "records that could not be read, as they are, until somebody deletes those files"},
		remain{Where: "disks of the history", What: "where the history is in Cassandra: what was written over, until it compacts those files (`nodetool compact` does so at once)"},
		remain{Where: "backups and snapshots", What: "what they had, until they are deleted"},
		remain{Where: "marketplace and devices", What: "what the webhook posted and what members' devices were shown"},
		remain{Where: "attachments", What: "the files behind the addresses, which are not ours"})
	return answer{status, view}, nil
}

// relayed is how long a gateway's stream in Redis outlives the last that was put into it.
const relayed = time.Minute
