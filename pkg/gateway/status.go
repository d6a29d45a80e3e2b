package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/strictjson"
)

// maxStatuses is how many users one `get:online_status` may ask about.
const maxStatuses = 100

// statuses answers `get:online_status`, as `online:status` and as the acknowledgement.
type statuses struct {
	OK       bool              `json:"ok,omitempty"` // in the acknowledgement only
	Statuses map[string]status `json:"statuses"`
}

type status struct {
	Online   *bool `json:"online"`             // null: unknown
	LastSeen int64 `json:"lastSeen,omitempty"` // Unix milliseconds
}

// onlineStatus answers about the users asked for, by the very strings that were asked. An id that is
// no UUID belongs to nobody, who is offline. While the directory is away everybody is unknown. Whom the asker may not
// see is as one who does not exist; of all others the asker hears when they come and go.
func (g *Gateway) onlineStatus(ctx context.Context, s *session, payload json.RawMessage) (any, error) {
	var in struct {
		UserIDs []*string `json:"userIds"`
	}
	if err := strictjson.Object(payload, &in, "payload"); err != nil {
		return nil, err
	}
	if in.UserIDs == nil {
		return nil, chat.Invalid("userIds", "is required")
	}
	if len(in.UserIDs) > maxStatuses {
		return nil, chat.Invalid("userIds", fmt.Sprintf("has %d ids; at most %d are allowed", len(in.UserIDs), maxStatuses))
	}
	asked := make([]string, len(in.UserIDs))
	var users []chat.ID
	for i, raw := range in.UserIDs {
		if raw == nil {
			return nil, chat.Invalid(fmt.Sprintf("userIds[%d]", i), "must be a string")
		}
		asked[i] = *raw
		if user, ok := chat.ParseID(*raw); ok {
			users = append(users, user)
		}
	}
	found, err := g.statuses(ctx, s, users)
	if err != nil {
		g.log.WarnContext(ctx, "look up who is online", "error", err)
	}
	out := statuses{Statuses: make(map[string]status, len(asked))}
	offline := false
	for _, raw := range asked {
		user, ok := chat.ParseID(raw)
		switch {
		case !ok:
			out.Statuses[raw] = status{Online: &offline}
		case err != nil:
			out.Statuses[raw] = status{}
		default:
			st := status{Online: found[user].Online}
			if seen := found[user].LastSeen; !seen.IsZero() {
				st.LastSeen = seen.UnixMilli()
			}
			out.Statuses[raw] = st
		}
	}
	s.emit("online:status", out)
	out.OK = true
	return out, nil
}

// statuses looks users up for a socket. Redis knows of the question before it answers, so that no change falls between.
func (g *Gateway) statuses(ctx context.Context, s *session, users []chat.ID) (map[chat.ID]chat.PresenceStatus, error) {
	visible, err := g.View.Visible(ctx, s.user.ID, users)
	if err != nil {
		return nil, err
	}
	now := time.Now()
	if untold := g.asking.note(s, visible, now); len(untold) > 0 {
		if err := g.View.Asked(ctx, g.Instance, untold, askedFor+askAgain); err != nil {
			return nil, err
		}
		g.asking.noted(untold, now)
	}
	found, err := g.View.Statuses(ctx, users, visible)
	for user, st := range found {
		if st.Online != nil && *st.Online {
			g.shown.answered(user)
		}
	}
	return found, err
}
