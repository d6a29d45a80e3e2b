package api

import (
	"fmt"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/dozaar/dozaar/pkg/auth"
	"github.com/dozaar/dozaar/pkg/chat"
)

// maxStatuses is how many users one request may ask about.
const maxStatuses = 100

// presence answers as `online:status` does, by the ids as they were written. An id that is no UUID
// is nobody's, and so offline. Whom the caller may not see is as one who does not exist; the backend sees everybody
// who is not invisible. While the leases cannot be read, everybody else is unknown.
func (a *api) presence(r *http.Request, who auth.Identity) (answer, error) {
	p, err := query(r)
	if err != nil {
		return answer{}, err
	}
	list, _, err := p.text("userIds")
	switch {
	case err != nil:
		return answer{}, err
	case list == "":
		return answer{}, chat.Invalid("userIds", "is required: ids, separated by commas")
	case !utf8.ValidString(list):
		return answer{}, chat.Invalid("userIds", "must be valid UTF-8")
	case strings.Count(list, ",") >= maxStatuses:
		return answer{}, chat.Invalid("userIds", fmt.Sprintf("at most %d ids are allowed", maxStatuses))
	}
	asked := strings.Split(list, ",")
	users := make([]chat.ID, 0, len(asked))
	for _, s := range asked {
		if id, ok := chat.ParseID(s); ok {
			users = append(users, id)
		}
	}
	visible := users
	if !who.Service {
		visible, err = a.Presence.Visible(r.Context(), who.User.ID, users)
	}
	var known map[chat.ID]chat.PresenceStatus
	if err == nil {
		known, err = a.Presence.Statuses(r.Context(), users, visible)
	}
	if err != nil {
		a.Logger.WarnContext(r.Context(), "cannot read who is online", "error", err)
	}
	offline := false
	statuses := make(map[string]statusView, len(asked))
	for _, s := range asked {
		id, ok := chat.ParseID(s)
		status, found := known[id]
		switch {
		case ok && found:
			statuses[s] = viewStatus(status)
		case ok && err != nil:
			statuses[s] = statusView{}
		default:
			statuses[s] = statusView{Online: &offline}
		}
	}
	return answer{http.StatusOK, map[string]any{"statuses": statuses}}, nil
}
