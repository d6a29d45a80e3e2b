package gateway

import (
	"context"
	"encoding/json"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/strictjson"
)

// refreshed acknowledges `auth:refresh`.
type refreshed struct {
	OK        bool  `json:"ok"`
	ExpiresAt int64 `json:"expiresAt"` // Unix milliseconds
}

// refresh gives the socket a new token, of the same user, and so a longer life.
func (g *Gateway) refresh(ctx context.Context, s *session, payload json.RawMessage) (any, error) {
	var in struct {
		Token string `json:"token"`
	}
	if err := strictjson.Object(payload, &in, "payload"); err != nil {
		return nil, err
	}
	if in.Token == "" {
		return nil, chat.Invalid("token", "is required")
	}
	id, err := g.Verifier.Verify(ctx, in.Token)
	if err != nil {
		return nil, err
	}
	if id.User.ID != s.user.ID {
		return nil, &chat.Error{Code: chat.CodeForbidden, Field: "token", Message: "belongs to another user"}
	}
	s.expireAt(id.ExpiresAt)
	return refreshed{true, id.ExpiresAt.UnixMilli()}, nil
}
