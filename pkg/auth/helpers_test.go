package auth

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/MicahParks/jwkset"
	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/golang-jwt/jwt/v5"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	someUser   = "0190a5d4-7c2e-7abc-8def-0123456789ab"
	someSecret = "0123456789abcdef0123456789abcdef"
)

// body is the claims of a good token, with changes; a nil value takes a claim away.
func body(changes jwt.MapClaims) jwt.MapClaims {
	claims := jwt.MapClaims{"sub": someUser, "username": "ann", "exp": time.Now().Add(time.Hour).Unix()}
	maps.Copy(claims, changes)
	for name, value := range claims {
		if value == nil {
			delete(claims, name)
		}
	}
	return claims
}

// sign makes a token, however wrong.
func sign(t testing.TB, method jwt.SigningMethod, key any, header map[string]any, claims jwt.Claims) string {
	t.Helper()
	token := jwt.NewWithClaims(method, claims)
	maps.Copy(token.Header, header)
	text, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func hs256(t testing.TB, claims jwt.Claims) string {
	t.Helper()
	return sign(t, jwt.SigningMethodHS256, []byte(someSecret), nil, claims)
}

func newVerifier(t testing.TB, cfg Config) *Verifier {
	t.Helper()
	v, err := New(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func accept(t testing.TB, v *Verifier, token string) Identity {
	t.Helper()
	id, err := v.Verify(context.Background(), token)
	if err != nil {
		t.Fatalf("refused: %v", err)
	}
	return id
}

// refuseAs wants a token refused with that error, for that reason, and without any part of it in the text.
func refuseAs(t testing.TB, v *Verifier, token string, want *chat.Error, result string) {
	t.Helper()
	id, err := v.Verify(context.Background(), token)
	if !errors.Is(err, want) || id != (Identity{}) {
		t.Fatalf("got %+v, %v; want %v", id, err, want)
	}
	if got, ok := errors.AsType[*refused](err); !ok || got.result != result {
		t.Fatalf("refused as %q (%v), want %q", got.result, err, result)
	}
	for part := range strings.SplitSeq(token, ".") {
		if len(part) > 8 && strings.Contains(err.Error(), part) {
			t.Errorf("the error contains the token: %v", err)
		}
	}
}

// A pair is a private key, and the algorithm that it signs with.
type pair struct {
	alg     string
	method  jwt.SigningMethod
	private crypto.Signer
}

// freshPair makes a pair; RSA keys are slow to make, so there are only a few of them.
func freshPair(t testing.TB, alg string) pair {
	t.Helper()
	var key crypto.Signer
	var method jwt.SigningMethod
	var err error
	switch alg {
	case RS256:
		return pair{RS256, jwt.SigningMethodRS256, rsaKey()}
	case ES256:
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		method = jwt.SigningMethodES256
	case EdDSA:
		_, key, err = ed25519.GenerateKey(rand.Reader)
		method = jwt.SigningMethodEdDSA
	}
	if err != nil {
		t.Fatal(err)
	}
	return pair{alg, method, key}
}

var rsaKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func (p pair) token(t testing.TB, kid string, changes jwt.MapClaims) string {
	t.Helper()
	header := map[string]any{}
	if kid != "" {
		header["kid"] = kid
	}
	return sign(t, p.method, p.private, header, body(changes))
}

func (p pair) pem(t testing.TB) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(p.private.Public())
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

func (p pair) privatePEM(t testing.TB) string {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(p.private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
}

// jwk is the public key as a JSON Web Key; changes are members to set.
func (p pair) jwk(t testing.TB, kid string, changes map[string]any) map[string]any {
	t.Helper()
	return jwkOf(t, p.private.Public(), kid, changes)
}

func jwkOf(t testing.TB, key any, kid string, changes map[string]any) map[string]any {
	t.Helper()
	made, err := jwkset.NewJWKFromKey(key, jwkset.JWKOptions{
		Marshal:  jwkset.JWKMarshalOptions{Private: true},
		Metadata: jwkset.JWKMetadataOptions{KID: kid},
		Validate: jwkset.JWKValidateOptions{SkipAll: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(made.Marshal())
	if err != nil {
		t.Fatal(err)
	}
	var members map[string]any
	if err := json.Unmarshal(text, &members); err != nil {
		t.Fatal(err)
	}
	maps.Copy(members, changes)
	return members
}

func jwks(t testing.TB, keys ...map[string]any) string {
	t.Helper()
	if keys == nil {
		keys = []map[string]any{}
	}
	text, err := json.Marshal(map[string]any{"keys": keys})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func keyFile(t testing.TB, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// metric is a metric's value; labels are written name=value, separated by commas, in the order of their names.
func metric(t testing.TB, registry *prometheus.Registry, name, labels string) float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, m := range family.GetMetric() {
			pairs := make([]string, 0, len(m.GetLabel()))
			for _, label := range m.GetLabel() {
				pairs = append(pairs, label.GetName()+"="+label.GetValue())
			}
			if strings.Join(pairs, ",") == labels {
				return m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return 0
}
