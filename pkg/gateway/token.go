package gateway

import (
	"encoding/json"
	"strings"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/socketio"
)

// handshakeToken finds the token: `Authorization: Bearer …`, or `auth.token` of the CONNECT packet.
// Where both are given the CONNECT's counts, being the one a client renews when it reconnects.
func handshakeToken(h socketio.Handshake) (string, error) {
	if len(h.Auth) > 0 {
		var payload struct {
			Token *string `json:"token"`
		}
		if err := json.Unmarshal(h.Auth, &payload); err != nil {
			return "", &chat.Error{Code: chat.CodeUnauthorized, Field: "auth.token", Message: "must be a string"}
		}
		if payload.Token != nil && *payload.Token != "" {
			return strings.TrimPrefix(*payload.Token, "Bearer "), nil
		}
	}
	scheme, token, _ := strings.Cut(h.Header.Get("Authorization"), " ")
	if strings.EqualFold(scheme, "Bearer") && token != "" {
		return strings.TrimSpace(token), nil
	}
	return "", chat.ErrUnauthorized
}
