package auth

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// The algorithms that may be configured. There are no others: every one more is one more to get wrong.
const (
	HS256 = "HS256"
	RS256 = "RS256"
	ES256 = "ES256"
	EdDSA = "EdDSA"
)

// Limits and defaults.
const (
	MaxTokenBytes  = 8 << 10 // longer tokens are refused before they are parsed
	MinSecretBytes = 32      // RFC 7518, 3.2: an HS256 key has at least the hash's size

	DefaultRefreshInterval    = 5 * time.Minute
	DefaultUnknownKeyInterval = 10 * time.Second
	DefaultMaxKeyAge          = 6 * time.Hour

	maxLeeway = 5 * time.Minute
)

// Config says which tokens are accepted. At least one of Secret, KeyFile and JWKSURL is required.
type Config struct {
	Secret  []byte // verifies HS256; at least MinSecretBytes
	KeyFile string // public keys as PEM (one or more blocks) or as JWKS JSON
	JWKSURL string // where public keys are published as JWKS JSON; http or https

	// Algorithms is the list of what is accepted. Empty: HS256 where there is a secret; RS256, ES256
	// and EdDSA where there is a key file or a URL.
	Algorithms []string
	Audience   []string // the token's `aud` must contain one of these; empty: not checked
	Issuer     string   // the token's `iss` must be this; empty: not checked

	Leeway time.Duration    // how far clocks may differ, for `exp` and `nbf`
	Clock  func() time.Time // nil: time.Now

	RefreshInterval    time.Duration // 0: DefaultRefreshInterval
	UnknownKeyInterval time.Duration // 0: DefaultUnknownKeyInterval
	MaxKeyAge          time.Duration // 0: DefaultMaxKeyAge

	HTTPClient *http.Client          // for JWKSURL; nil: one with a timeout that follows no redirect
	Logger     *slog.Logger          // nil: nothing is logged
	Registerer prometheus.Registerer // nil: metrics are kept and shown nowhere
}

// FieldError is what is wrong with one field of a Config.
type FieldError struct {
	Field   string // the name in Config
	Message string // what is wrong and what to do; never contains a secret
}

func (e *FieldError) Error() string { return e.Field + ": " + e.Message }

// Validate says everything that is wrong with a configuration that can be told without opening the
// key file or asking the URL: *FieldError, joined.
func (c Config) Validate() error {
	var faults []error
	fault := func(field, format string, args ...any) {
		faults = append(faults, &FieldError{Field: field, Message: fmt.Sprintf(format, args...)})
	}
	hasKeys := c.KeyFile != "" || c.JWKSURL != ""
	if len(c.Secret) == 0 && !hasKeys {
		fault("Secret", "there is no key to verify tokens with: a secret, a key file or a JWKS URL is needed")
	}
	if len(c.Secret) > 0 {
		if err := CheckSecret(c.Secret); err != nil {
			fault("Secret", "%s", err)
		}
	}
	if c.JWKSURL != "" && !isHTTP(c.JWKSURL) {
		fault("JWKSURL", "must be an http or https URL")
	}
	if c.Leeway < 0 || c.Leeway > maxLeeway {
		fault("Leeway", "must be between 0 and %s, is %s", maxLeeway, c.Leeway)
	}
	for _, alg := range c.Algorithms {
		switch {
		case !slices.Contains([]string{HS256, RS256, ES256, EdDSA}, alg):
			fault("Algorithms", "%q is not supported; choose among HS256, RS256, ES256 and EdDSA", alg)
		case alg == HS256 && len(c.Secret) == 0:
			fault("Algorithms", "HS256 needs a secret, and there is none")
		case alg != HS256 && !hasKeys:
			fault("Algorithms", "%s needs a key file or a JWKS URL, and there is neither", alg)
		}
	}
	if len(c.Algorithms) > 0 {
		if len(c.Secret) > 0 && !slices.Contains(c.Algorithms, HS256) {
			fault("Algorithms", "a secret is set, but HS256 is not on the list")
		}
		if hasKeys && !slices.ContainsFunc(c.Algorithms, func(alg string) bool { return alg != HS256 }) {
			fault("Algorithms", "a key file or JWKS URL is set, but none of RS256, ES256 and EdDSA is on the list")
		}
	}
	return errors.Join(faults...)
}

// CheckSecret tells why a secret cannot be used for HS256. The error never contains the secret.
func CheckSecret(secret []byte) error {
	if strings.Contains(string(secret), "-----BEGIN") {
		return errors.New("is a PEM key; public keys are given as the key file, never as the secret")
	}
	if len(secret) < MinSecretBytes {
		return fmt.Errorf("has %d bytes, at least %d are required; make one with `openssl rand -hex 32`", len(secret), MinSecretBytes)
	}
	return nil
}

// CheckKeyFile reads a key file as New would and tells what is wrong with it.
func CheckKeyFile(path string) error {
	ctx := context.Background()
	candidates, err := loadFile(path)(ctx)
	if err == nil {
		_, _, err = newKeySet(ctx, candidates)
	}
	return err
}

func isHTTP(raw string) bool {
	u, err := url.Parse(raw)
	return err == nil && u.Host != "" && (u.Scheme == "http" || u.Scheme == "https")
}

// withDefaults is c with everything filled in that may be left out.
func (c Config) withDefaults() Config {
	if len(c.Algorithms) == 0 {
		if len(c.Secret) > 0 {
			c.Algorithms = append(c.Algorithms, HS256)
		}
		if c.KeyFile != "" || c.JWKSURL != "" {
			c.Algorithms = append(c.Algorithms, RS256, ES256, EdDSA)
		}
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.RefreshInterval <= 0 {
		c.RefreshInterval = DefaultRefreshInterval
	}
	if c.UnknownKeyInterval <= 0 {
		c.UnknownKeyInterval = DefaultUnknownKeyInterval
	}
	if c.MaxKeyAge <= 0 {
		c.MaxKeyAge = DefaultMaxKeyAge
	}
	return c
}
