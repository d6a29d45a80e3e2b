package gateway

import (
	"context"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/relay"
)

// wishes are the settings of users who are, or were lately, at this gateway. They are read before a user's lease is
// written, and only with a lease is anything sent here for a user: so they are known by then.
type wishes struct {
	byUser *lru.Cache[chat.ID, wish]
}

type wish struct {
	visibility chat.Visibility
	muted      map[chat.ID]bool
}

// wishedUsers bounds what is remembered.
const wishedUsers = 200_000

func newWishes() *wishes {
	byUser, _ := lru.New[chat.ID, wish](wishedUsers) // fails only for a size below one
	return &wishes{byUser: byUser}
}

func (w *wishes) put(user chat.ID, s chat.Settings) {
	known := wish{visibility: chat.Visible}
	if s.Invisible {
		known.visibility = chat.Invisible
	}
	if len(s.Muted) > 0 {
		known.muted = make(map[chat.ID]bool, len(s.Muted))
		for _, c := range s.Muted {
			known.muted[c] = true
		}
	}
	w.byUser.Add(user, known)
}

// visibility is what is known of a user's; chat.VisibleAsBefore where nothing is.
func (w *wishes) visibility(user chat.ID) chat.Visibility {
	known, _ := w.byUser.Peek(user)
	return known.visibility
}

func (w *wishes) muted(user, conversation chat.ID) bool {
	known, _ := w.byUser.Get(user)
	return known.muted[conversation]
}

// SettingsChanged has a change of a user's settings take effect: who is invisible is hidden when it returns, and the gateways at
// which the user is have been told to read the settings again.
func (g *Gateway) SettingsChanged(ctx context.Context, user chat.ID) error {
	settings, err := g.Store.Settings(ctx, []chat.ID{user})
	if err == nil && settings[user].Invisible {
		err = g.Hider.Hide(ctx, user)
	}
	if err != nil {
		return err
	}
	owners, _, err := g.Directory.Owners(ctx, []chat.ID{user}, nil)
	if err != nil {
		return err
	}
	var envelopes []relay.Addressed
	for _, gateway := range owners[user] {
		envelopes = append(envelopes, relay.Addressed{Gateway: gateway, Envelope: relay.Envelope{Settings: &relay.Settings{UserID: user}}})
	}
	return g.Relay.Send(ctx, envelopes)
}
