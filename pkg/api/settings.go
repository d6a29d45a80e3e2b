package api

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"

	"github.com/dozaar/dozaar/pkg/auth"
	"github.com/dozaar/dozaar/pkg/chat"
)

// settingsView is a user's own wishes.
type settingsView struct {
	Invisible bool      `json:"invisible"`
	Muted     []chat.ID `json:"muted"` // conversations, by id
}

// settings are the caller's own: nobody else's are ever shown, not to the backend either.
func (a *api) settings(r *http.Request, who auth.Identity) (answer, error) {
	s, err := a.settingsOf(r, who)
	if err != nil {
		return answer{}, err
	}
	v := settingsView{s.Invisible, append([]chat.ID{}, s.Muted...)}
	slices.SortFunc(v.Muted, func(x, y chat.ID) int { return bytes.Compare(x[:], y[:]) })
	return answer{http.StatusOK, v}, nil
}

func (a *api) settingsOf(r *http.Request, who auth.Identity) (chat.Settings, error) {
	all, err := a.Settings.Settings(r.Context(), []chat.ID{who.User.ID})
	return all[who.User.ID], err
}

func (a *api) setInvisible(invisible bool) handle {
	return func(r *http.Request, who auth.Identity) (answer, error) {
		return a.changed(r, who, a.Settings.PutInvisible(r.Context(), who.User.ID, invisible))
	}
}

// mute silences a conversation of the caller's.
func (a *api) mute(r *http.Request, who auth.Identity) (answer, error) {
	c, err := a.visible(r, who)
	if err != nil {
		return answer{}, err
	}
	s, err := a.settingsOf(r, who)
	if err != nil {
		return answer{}, err
	}
	if len(s.Muted) >= chat.MaxMuted && !slices.Contains(s.Muted, c.ID) {
		return answer{}, chat.Invalid("id", fmt.Sprintf("%d conversations are muted, and more are not allowed", chat.MaxMuted))
	}
	return a.changed(r, who, a.Settings.PutMuted(r.Context(), who.User.ID, c.ID, true))
}

// unmute lets a conversation be heard again, also one that the caller is no longer in.
func (a *api) unmute(r *http.Request, who auth.Identity) (answer, error) {
	id, ok := chat.ParseID(r.PathValue("id"))
	if !ok {
		return answer{}, chat.ErrNotFound
	}
	return a.changed(r, who, a.Settings.PutMuted(r.Context(), who.User.ID, id, false))
}

// changed has a change take effect, again for each time it was asked for: the word may have been lost.
func (a *api) changed(r *http.Request, who auth.Identity, err error) (answer, error) {
	if err == nil {
		err = a.Gateways.SettingsChanged(r.Context(), who.User.ID)
	}
	return answer{status: http.StatusNoContent}, err
}
