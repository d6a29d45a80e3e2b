package auth

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/sync/errgroup"
)

// ServiceScope is the word in `scope` that marks the marketplace's own backend.
const ServiceScope = "service"

// Identity is what an accepted token says.
type Identity struct {
	User      chat.User
	Service   bool      // the token has the scope `service`
	ExpiresAt time.Time // when the token is no longer accepted: `exp`, and the leeway
}

// Verifier verifies tokens. It is safe for concurrent use.
type Verifier struct {
	secret  []byte
	sources []*source // key file and JWKS URL, those that are configured
	parser  *jwt.Parser
	leeway  time.Duration
	metrics *metrics
}

// New checks the configuration and loads the keys once. A key file that cannot be used is an error. A
// URL that does not answer is not: the verifier starts without keys, says so in the log, in Ready and
// in its metrics, and answers tokens with chat.ErrUnavailable until Run or a token has reached it.
func New(ctx context.Context, cfg Config) (*Verifier, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	m, err := newMetrics(cfg.Registerer)
	if err != nil {
		return nil, err
	}
	options := []jwt.ParserOption{
		jwt.WithValidMethods(cfg.Algorithms),
		jwt.WithExpirationRequired(),
		jwt.WithStrictDecoding(),
		jwt.WithLeeway(cfg.Leeway),
		jwt.WithTimeFunc(cfg.Clock),
	}
	if cfg.Issuer != "" {
		options = append(options, jwt.WithIssuer(cfg.Issuer))
	}
	if len(cfg.Audience) > 0 {
		options = append(options, jwt.WithAudience(cfg.Audience...))
	}
	v := &Verifier{secret: bytes.Clone(cfg.Secret), parser: jwt.NewParser(options...), leeway: cfg.Leeway, metrics: m}

	if cfg.KeyFile != "" {
		file := newSource("file", cfg.KeyFile, cfg, m, loadFile(cfg.KeyFile))
		if err := file.refresh(ctx); err != nil {
			return nil, fmt.Errorf("key file %s: %w", cfg.KeyFile, err)
		}
		v.sources = append(v.sources, file)
	}
	if cfg.JWKSURL != "" {
		remote := newSource("url", redact(cfg.JWKSURL), cfg, m, loadURL(cfg.HTTPClient, cfg.JWKSURL))
		// The failure is logged and counted by refresh, and seen by Ready; engines may come up in any order.
		_ = remote.refresh(ctx)
		v.sources = append(v.sources, remote)
	}
	return v, nil
}

// Run keeps the key sets fresh until ctx ends. Without key file and URL it only waits.
func (v *Verifier) Run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, s := range v.sources {
		group.Go(func() error { return s.run(ctx) })
	}
	group.Go(func() error { <-ctx.Done(); return nil })
	return group.Wait()
}

// Ready tells whether there are keys to verify with, and if not, why.
func (v *Verifier) Ready(context.Context) error {
	var faults []error
	for _, s := range v.sources {
		if _, err := s.current(); err != nil {
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}

// Verify tells who the token's bearer is. The error wraps chat.ErrTokenExpired if nothing is wrong but
// the time, chat.ErrUnavailable if there are no keys to judge by, else chat.ErrUnauthorized. Its text is
// for the log: it contains no token, and is not for the client.
func (v *Verifier) Verify(ctx context.Context, token string) (Identity, error) {
	id, err := v.verify(ctx, token)
	v.metrics.token(err)
	return id, err
}

func (v *Verifier) verify(ctx context.Context, token string) (Identity, error) {
	if err := checkShape(token); err != nil {
		return Identity{}, err
	}
	var c claims
	_, err := v.parser.ParseWithClaims(token, &c, func(t *jwt.Token) (any, error) { return v.key(ctx, t) })
	if err != nil {
		return Identity{}, explain(err)
	}
	return Identity{User: c.user(), Service: c.service, ExpiresAt: c.expires.Add(v.leeway)}, nil
}

// key chooses what to verify a token with, by its algorithm first. The parser has already made sure
// that the algorithm is on the list.
func (v *Verifier) key(ctx context.Context, token *jwt.Token) (any, error) {
	kid, err := checkHeader(token.Header)
	if err != nil {
		return nil, err
	}
	if token.Method.Alg() == HS256 {
		if suspicious(kid) {
			return nil, refuse(resultKey, "the key id looks like a path or a URL")
		}
		return v.secret, nil
	}
	for _, s := range v.sources {
		if key, ok := s.find(token, kid); ok {
			return key, nil
		}
	}
	if suspicious(kid) {
		return nil, refuse(resultKey, "the key id looks like a path or a URL")
	}
	// Published a moment ago, perhaps: look again, if it may be done already.
	for _, s := range v.sources {
		if !s.lookAgain(ctx) {
			continue
		}
		if key, ok := s.find(token, kid); ok {
			return key, nil
		}
	}
	if err := v.Ready(ctx); err != nil {
		return nil, &refused{result: resultUnavailable, sentinel: chat.ErrUnavailable, detail: err.Error()}
	}
	return nil, refuse(resultKey, "no published key fits the token")
}

// BearerToken is the token of an `Authorization: Bearer` header (RFC 6750, 2.1), or "".
func BearerToken(h http.Header) string {
	scheme, token, ok := strings.Cut(h.Get("Authorization"), " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}
