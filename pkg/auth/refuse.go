package auth

import (
	"errors"
	"strings"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/golang-jwt/jwt/v5"
)

// The values of the label `result` of dozaar_auth_tokens_total.
const (
	resultAccepted    = "accepted"
	resultMalformed   = "malformed"   // too long, not three parts, not JSON, a header that is refused
	resultAlgorithm   = "algorithm"   // not on the list
	resultKey         = "key"         // no such key
	resultSignature   = "signature"   // the key is known and the signature is wrong
	resultClaims      = "claims"      // a claim is missing, malformed or not ours
	resultNotYet      = "not_yet"     // `nbf` is ahead
	resultExpired     = "expired"     // everything else is right
	resultUnavailable = "unavailable" // there are no keys to judge by
)

// refused is why a token is not accepted: the sentinel for the caller, the result for the metrics, the
// detail for the log.
type refused struct {
	result   string
	sentinel *chat.Error
	detail   string
}

func (r *refused) Error() string { return r.sentinel.Error() + ": " + r.detail }
func (r *refused) Unwrap() error { return r.sentinel }

func refuse(result, detail string) *refused {
	return &refused{result: result, sentinel: chat.ErrUnauthorized, detail: detail}
}

// checkShape refuses, before anything is parsed, what cannot be a token.
func checkShape(token string) error {
	switch {
	case token == "":
		return refuse(resultMalformed, "there is no token")
	case len(token) > MaxTokenBytes:
		return refuse(resultMalformed, "the token is too long")
	case strings.Count(token, ".") != 2 || token[0] == '.' || strings.Contains(token, ".."):
		return refuse(resultMalformed, "the token has not three parts")
	case strings.ContainsFunc(token, outsideAlphabet):
		return refuse(resultMalformed, "the token contains a character that is not base64url")
	}
	return nil
}

// outsideAlphabet is stricter than the decoder, which passes over line breaks: one token would have
// many spellings.
func outsideAlphabet(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_' && r != '.'
}

// checkHeader refuses headers that bring or point to a key of their own, and those that ask for an
// extension (RFC 7515, 4.1.11): there is none that we understand.
func checkHeader(header map[string]any) (kid string, err error) {
	for _, name := range []string{"jku", "x5u", "jwk", "x5c", "crit"} {
		if _, ok := header[name]; ok {
			return "", refuse(resultMalformed, "the header contains "+name)
		}
	}
	value, ok := header["kid"]
	if !ok {
		return "", nil
	}
	kid, ok = value.(string)
	if !ok || kid == "" {
		return "", refuse(resultMalformed, "the key id is not a string")
	}
	return kid, nil
}

// suspicious tells whether a key id that is not in the key set looks like an attempt to make us open
// something. Key ids are never opened; but such a one is not worth asking the key server either. (A slash
// alone proves nothing: some issuers' key ids are base64.)
func suspicious(kid string) bool {
	if len(kid) > 256 || strings.HasPrefix(kid, "/") || strings.HasPrefix(kid, ".") {
		return true
	}
	for _, mark := range []string{"..", "://", `\`, "\x00", "'", `"`, ";", "|", "`", "$(", "<"} {
		if strings.Contains(kid, mark) {
			return true
		}
	}
	return false
}

// explain turns the parser's error into ours. 'Expired' is only said of a token whose signature is good
// and of which nothing else is wrong: others learn nothing.
func explain(err error) error {
	if r, ok := errors.AsType[*refused](err); ok {
		return r
	}
	has := func(target error) bool { return errors.Is(err, target) }
	switch {
	case has(jwt.ErrTokenMalformed):
		return refuse(resultMalformed, "the token cannot be read")
	case has(jwt.ErrTokenInvalidAudience):
		return refuse(resultClaims, "the audience is not ours")
	case has(jwt.ErrTokenInvalidIssuer):
		return refuse(resultClaims, "the issuer is not ours")
	case has(jwt.ErrTokenRequiredClaimMissing):
		return refuse(resultClaims, "a required claim is missing")
	case has(jwt.ErrTokenNotValidYet):
		return refuse(resultNotYet, "the token is not valid yet")
	case has(jwt.ErrTokenExpired):
		return &refused{result: resultExpired, sentinel: chat.ErrTokenExpired, detail: "exp is in the past"}
	case has(jwt.ErrTokenSignatureInvalid) && strings.Contains(err.Error(), "signing method"):
		return refuse(resultAlgorithm, "the algorithm is not accepted")
	case has(jwt.ErrTokenSignatureInvalid):
		return refuse(resultSignature, "the signature is wrong")
	case has(jwt.ErrTokenUnverifiable):
		return refuse(resultAlgorithm, "the algorithm is not accepted")
	default:
		return refuse(resultClaims, "the claims are not accepted")
	}
}
