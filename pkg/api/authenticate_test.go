package api_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/dozaar/dozaar/pkg/api"
	"github.com/dozaar/dozaar/pkg/auth"
	"github.com/dozaar/dozaar/pkg/chat"
)

var _ api.Verifier = (*auth.Verifier)(nil)

func TestToken(t *testing.T) {
	h := newHarness(t)
	for name, c := range map[string]struct {
		headers   []string
		status    int
		code      chat.Code
		challenge string
	}{
		"good":             {[]string{"Bearer buyer"}, 200, "", ""},
		"in another case":  {[]string{"bearer  buyer "}, 200, "", ""},
		"none":             {nil, 401, chat.CodeUnauthorized, `Bearer realm="dozaar"`},
		"empty":            {[]string{"Bearer "}, 401, chat.CodeUnauthorized, `Bearer realm="dozaar", error="invalid_token"`},
		"no scheme":        {[]string{"buyer"}, 401, chat.CodeUnauthorized, `Bearer realm="dozaar", error="invalid_token"`},
		"another scheme":   {[]string{"Basic YnV5ZXI6"}, 401, chat.CodeUnauthorized, `Bearer realm="dozaar", error="invalid_token"`},
		"two":              {[]string{"Bearer buyer", "Bearer seller"}, 401, chat.CodeUnauthorized, `Bearer realm="dozaar", error="invalid_token"`},
		"a bad one":        {[]string{"Bearer eyJhbGciOiJub25lIn0.e30."}, 401, chat.CodeUnauthorized, `Bearer realm="dozaar", error="invalid_token"`},
		"an old one":       {[]string{"Bearer expired"}, 401, chat.CodeTokenExpired, `Bearer realm="dozaar", error="invalid_token", error_description="the token has expired"`},
		"nobody can check": {[]string{"Bearer away"}, 503, chat.CodeUnavailable, ""},
	} {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest("GET", "/v1/conversations", nil)
			for _, header := range c.headers {
				r.Header.Add("Authorization", header)
			}
			answer := h.at(t).send(r, "")
			if c.code != "" {
				answer.problem(t, c.status, c.code, "")
			}
			if got := answer.header.Get("WWW-Authenticate"); answer.status != c.status || got != c.challenge {
				t.Errorf("answered %d, challenge %q; want %d, %q", answer.status, got, c.status, c.challenge)
			}
		})
	}
	answer := h.do("POST", "/v1/conversations", "buyer", `{}`)
	answer.problem(t, http.StatusForbidden, chat.CodeForbidden, "")
	if got := answer.header.Get("WWW-Authenticate"); got != `Bearer realm="dozaar", error="insufficient_scope", scope="service"` {
		t.Errorf("challenge %q", got)
	}
}

// TestTokenInTheAddress is row 8: refused even beside a good one, and in no log.
func TestTokenInTheAddress(t *testing.T) {
	h := newHarness(t)
	const secret = "eyJzZWNyZXQ.c2VjcmV0.c2VjcmV0"
	for _, query := range []string{
		"token=" + secret, "access_token=" + secret, "Token=" + secret, "TOKEN=buyer", "jwt=x", "authorization=Bearer%20" + secret,
		"limit=1&token=" + secret, "limit=%zz&token=" + secret, "whatever=" + secret, "%74oken=x", "cursor=" + secret,
	} {
		for _, token := range []string{"", "buyer"} {
			answer := h.do("GET", "/v1/conversations?"+query, token, "")
			answer.problem(t, http.StatusUnauthorized, chat.CodeUnauthorized, "")
			if strings.Contains(answer.body, "c2VjcmV0") {
				t.Errorf("the answer repeats the token: %s", answer.body)
			}
		}
	}
	h.do("GET", "/v1/nowhere?token="+secret, "", "")
	h.do("GET", "/v1//conversations?token="+secret, "", "")
	h.do("GET", "/v1/"+secret, "", "")
	h.do("PATCH", "/v1/conversations?token="+secret, "", "")
	if log := h.log.String(); strings.Contains(log, "c2VjcmV0") || !strings.Contains(log, "http request") {
		t.Errorf("the log has the token, or nothing:\n%s", log)
	}
}
