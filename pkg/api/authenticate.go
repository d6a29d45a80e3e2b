package api

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/dozaar/dozaar/pkg/auth"
	"github.com/dozaar/dozaar/pkg/chat"
)

// tokenNames are the parameters in which people put tokens, in lower case.
var tokenNames = map[string]bool{
	"token": true, "access_token": true, "accesstoken": true, "id_token": true, "auth_token": true,
	"auth": true, "authorization": true, "bearer": true, "jwt": true,
}

// authenticated asks for a token before h is asked anything.
func (a *api) authenticated(h handle) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who, err := a.identify(r)
		if err != nil {
			a.fail(w, r, err)
			return
		}
		if !who.Service && !a.rates.allow(who.User.ID) {
			a.fail(w, r, chat.ErrRateLimited)
			return
		}
		answer, err := h(r, who)
		if err != nil {
			a.fail(w, r, err)
			return
		}
		a.respond(w, r, answer)
	})
}

func (a *api) identify(r *http.Request) (auth.Identity, error) {
	if tokenInQuery(r.URL) {
		return auth.Identity{}, &chat.Error{
			Code:    chat.CodeUnauthorized,
			Message: "a token is taken from the Authorization header only; the one in the address is in logs by now and ought to be replaced",
		}
	}
	token, ok := bearer(r.Header)
	if !ok {
		return auth.Identity{}, chat.ErrUnauthorized
	}
	return a.Verifier.Verify(r.Context(), token)
}

// bearer is the token of `Authorization: Bearer …` (RFC 6750). Two such headers are none: whoever
// looks at the first and whoever looks at the last would see different people.
func bearer(h http.Header) (string, bool) {
	values := h.Values("Authorization")
	if len(values) != 1 {
		return "", false
	}
	scheme, token, ok := strings.Cut(values[0], " ")
	token = strings.TrimSpace(token)
	return token, ok && strings.EqualFold(scheme, "Bearer") && token != ""
}

// tokenInQuery tells whether somebody put a token into the address, where every proxy logs it:
// by the parameter's name, or because the value looks like a JWT.
func tokenInQuery(u *url.URL) bool {
	query, _ := url.ParseQuery(u.RawQuery) // what parses, even beside what does not
	for name, values := range query {
		if tokenNames[strings.ToLower(name)] {
			return true
		}
		for _, v := range values {
			if strings.HasPrefix(v, "eyJ") && strings.Count(v, ".") >= 2 {
				return true
			}
		}
	}
	return false
}

// service lets only the marketplace's backend through.
func service(h handle) handle {
	return func(r *http.Request, who auth.Identity) (answer, error) {
		if !who.Service {
			return answer{}, chat.ErrForbidden
		}
		return h(r, who)
	}
}
