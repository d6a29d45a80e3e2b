package auth

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"fmt"
	"slices"

	"github.com/MicahParks/jwkset"
	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"
)

const (
	maxKeys          = 100 // in one file or at one URL; more is a mistake or an attack
	maxKeysWithoutID = 8   // how many signatures a token that names no key may cost
	minRSABits       = 2048
	maxRSABits       = 8192
)

// keySet is the keys of one file or URL at one moment; it never changes. Each key is filed under the
// one algorithm that it may be used with, so that no header can lead to another use.
type keySet struct {
	rings map[string]*ring // by algorithm
	count int
}

// ring is the keys of one algorithm.
type ring struct {
	byID keyfunc.Keyfunc
	ids  []string
	all  []jwt.VerificationKey // for tokens that name no key
	bare []jwt.VerificationKey // keys that have no id themselves, as in PEM files: for tokens that name any
}

// candidate is a public key as it was published, before it is vetted.
type candidate struct {
	key     any    // what crypto/x509 and jwkset return
	id      string // `kid`, or ""
	alg     string // `alg`, or ""
	use     string // `use`, or ""
	keyOps  []string
	comment string // why it could not even be read
}

// newKeySet vets candidates. Those that cannot be used are left out, with reasons: an issuer may
// publish encryption keys or algorithms of tomorrow beside what we need.
func newKeySet(ctx context.Context, candidates []candidate) (set *keySet, leftOut []string, err error) {
	if len(candidates) > maxKeys {
		return nil, nil, fmt.Errorf("has %d keys; at most %d are allowed", len(candidates), maxKeys)
	}
	set = &keySet{rings: map[string]*ring{}}
	stores := map[string]jwkset.Storage{}
	for i, c := range candidates {
		alg, why := c.algorithm()
		r := set.rings[alg]
		if why == "" && r != nil && c.id != "" && slices.Contains(r.ids, c.id) {
			why = "another key of the same kind has the same id"
		}
		if why != "" {
			leftOut = append(leftOut, fmt.Sprintf("key %d: %s", i+1, why))
			continue
		}
		if r == nil {
			r = &ring{}
			set.rings[alg], stores[alg] = r, jwkset.NewMemoryStorage()
			if r.byID, err = keyfunc.New(keyfunc.Options{Storage: stores[alg]}); err != nil {
				return nil, nil, err
			}
		}
		jwk, err := jwkset.NewJWKFromKey(c.key, jwkset.JWKOptions{
			Metadata: jwkset.JWKMetadataOptions{ALG: jwkset.ALG(alg), KID: c.id, USE: jwkset.UseSig},
		})
		if err != nil {
			leftOut = append(leftOut, fmt.Sprintf("key %d: %v", i+1, err))
			continue
		}
		if err := stores[alg].KeyWrite(ctx, jwk); err != nil {
			return nil, nil, err
		}
		r.all = append(r.all, c.key)
		if c.id == "" {
			r.bare = append(r.bare, c.key)
		} else {
			r.ids = append(r.ids, c.id)
		}
		set.count++
	}
	if set.count == 0 {
		return nil, leftOut, fmt.Errorf("has no key that can verify RS256, ES256 or EdDSA signatures %v", leftOut)
	}
	return set, leftOut, nil
}

// algorithm is the one algorithm a key may be used with, or why there is none.
func (c candidate) algorithm() (alg, why string) {
	if c.comment != "" {
		return "", c.comment
	}
	switch key := c.key.(type) {
	case *rsa.PublicKey:
		if bits := key.N.BitLen(); bits < minRSABits || bits > maxRSABits {
			return "", fmt.Sprintf("RSA with %d bits; %d to %d are accepted", bits, minRSABits, maxRSABits)
		}
		alg = RS256
	case *ecdsa.PublicKey:
		if key.Curve != elliptic.P256() {
			return "", "an elliptic curve other than P-256"
		}
		alg = ES256
	case ed25519.PublicKey:
		alg = EdDSA
	default:
		return "", fmt.Sprintf("a kind of key that is not used here (%T)", c.key)
	}
	if c.alg != "" && c.alg != alg && (alg != EdDSA || c.alg != "Ed25519") { // RFC 9864's name for the same
		return "", "published for another algorithm"
	}
	if (c.use != "" && c.use != "sig") || (len(c.keyOps) > 0 && !slices.Contains(c.keyOps, "verify")) {
		return "", "not published for signatures"
	}
	return alg, ""
}

// find returns the key, or the keys, that a token is to be verified with. Only keys of the token's
// algorithm are ever returned.
func (s *keySet) find(token *jwt.Token, kid string) (any, bool) {
	r := s.rings[token.Method.Alg()]
	if r == nil {
		return nil, false
	}
	if kid != "" && slices.Contains(r.ids, kid) {
		key, err := r.byID.Keyfunc(token)
		return key, err == nil
	}
	keys := r.all
	switch {
	case suspicious(kid):
		return nil, false
	case kid != "":
		keys = r.bare
	}
	if len(keys) == 0 || len(keys) > maxKeysWithoutID {
		return nil, false
	}
	return jwt.VerificationKeySet{Keys: keys}, true
}
