package api

import (
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/rs/cors"

	"github.com/dozaar/dozaar/pkg/chat"
)

// Origins decides which web pages may talk to us, for HTTP and sockets alike. A request without an
// Origin header comes from no page and passes; so does one from our own origin. Others pass where they
// are on the list, or where the list is `*`; the rest get 403, preflight or not: a browser would run a
// request that needs none, and only withhold the answer. No cookies are involved, so none are allowed.
type Origins struct {
	all  bool
	list map[string]bool
	cors *cors.Cors
}

// NewOrigins takes the list of DOZAAR_ALLOWED_ORIGINS: origins such as https://shop.example, or `*`
// for all. An empty list allows only our own.
func NewOrigins(list []string) (*Origins, error) {
	o := &Origins{list: map[string]bool{}}
	for _, s := range list {
		if s == "*" {
			o.all = true
			continue
		}
		origin, ok := canonical(s)
		if !ok {
			return nil, fmt.Errorf("%q is no origin: it has to look like https://shop.example or http://localhost:8080, with nothing behind, or be *", s)
		}
		o.list[origin] = true
	}
	options := cors.Options{
		AllowedMethods: []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete},
		AllowedHeaders: []string{"*"}, // a client library may add its own beside Authorization and Content-Type
		ExposedHeaders: []string{"Retry-After", "WWW-Authenticate"},
		MaxAge:         600,
	}
	if o.all {
		options.AllowedOrigins = []string{"*"}
	} else {
		// Handler has refused the others by then.
		options.AllowOriginFunc = func(string) bool { return true }
	}
	o.cors = cors.New(options)
	return o, nil
}

// AllowOrigin tells whether the page that sent r may talk to us. The socket layer asks it too.
func (o *Origins) AllowOrigin(r *http.Request) bool {
	values := r.Header.Values("Origin")
	if len(values) == 0 || o.all {
		return true
	}
	if len(values) > 1 {
		return false
	}
	origin, ok := canonical(values[0])
	return ok && (o.list[origin] || sameHost(origin, r.Host))
}

// Handler refuses foreign origins, answers preflights and lets the allowed pages read next's answers.
func (o *Origins) Handler(next http.Handler) http.Handler {
	return o.Split(next, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		writeProblem(w, http.StatusForbidden, &chat.Error{
			Code:    chat.CodeForbidden,
			Message: "pages of this origin may not talk to this server; DOZAAR_ALLOWED_ORIGINS says which may",
		})
	}))
}

// Split is Handler where foreign refuses foreign origins.
func (o *Origins) Split(next, foreign http.Handler) http.Handler {
	allowed := o.cors.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !o.AllowOrigin(r) {
			w.Header().Add("Vary", "Origin")
			foreign.ServeHTTP(w, r)
			return
		}
		allowed.ServeHTTP(w, r)
	})
}

// canonical is an origin as browsers serialise it (RFC 6454): scheme and host in lower case, the
// port only where it is not the scheme's own. `null` and everything that is more than an origin is none.
func canonical(s string) (string, bool) {
	u, err := url.Parse(s)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" {
		return "", false
	}
	if u.User != nil || u.Path != "" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.Contains(s, "#") {
		return "", false
	}
	return u.Scheme + "://" + canonicalHost(u.Host, u.Scheme), true
}

// canonicalHost drops the port that the scheme has anyway.
func canonicalHost(host, scheme string) string {
	host = strings.ToLower(host)
	if name, port, err := net.SplitHostPort(host); err == nil && (port == map[string]string{"http": "80", "https": "443"}[scheme] || port == "") {
		if strings.Contains(name, ":") {
			return "[" + name + "]"
		}
		return name
	}
	return host
}

// sameHost tells whether the origin is where the request went. The scheme does not count: behind a
// proxy that ends TLS we do not know our own.
func sameHost(origin, host string) bool {
	scheme, at, _ := strings.Cut(origin, "://")
	return host != "" && at == canonicalHost(host, scheme)
}
