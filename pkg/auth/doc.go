// Package auth decides whose token it is: it verifies JSON Web Tokens (RFC 7519) by RFC 8725's
// advice, and mints them for development and for the marketplace's scripts.
//
// A token is accepted when its algorithm is on the configured list, its signature is by a key that is
// bound to that very algorithm, and its claims hold: `sub` (a UUID), `username` and `exp` are
// required, `nbf` is honoured, `aud` and `iss` are checked where configured. `scope` (a string of
// words, or an array of them) with the word `service` makes it the marketplace's own backend.
//
// Three sources of keys, in any combination: one secret (HS256 and nothing else), a file and a URL
// (public keys: RS256, ES256, EdDSA). A public key never verifies an HMAC and the secret never
// anything else. File and URL are read again every RefreshInterval, and at a token that names an
// unknown key, but for that not more often than every UnknownKeyInterval, however many tokens ask. So a
// rotation needs no restart: old and new key are accepted while both are published, and the old one is
// refused at the latest one RefreshInterval after it was taken away. While the source is away, the last
// keys go on for MaxKeyAge and no longer; without any, tokens are answered with chat.ErrUnavailable.
//
// What a stranger sends names nothing that is opened or fetched: `kid` is compared and nothing else,
// tokens with `jku`, `x5u`, `jwk`, `x5c` or `crit` in the header are refused, and what is larger than
// MaxTokenBytes is refused before it is parsed.
//
// The package does not revoke single tokens: a token is good until it expires. It never logs one.
package auth
