package auth

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
)

func TestKeyFileForms(t *testing.T) {
	for _, alg := range []string{RS256, ES256, EdDSA} {
		p := freshPair(t, alg)
		for form, content := range map[string]string{
			"PEM":                  p.pem(t),
			"PEM with text around": "issuer: x\n" + p.pem(t) + "\nthe end\n",
			"certificate":          certificate(t, p),
			"JWKS":                 jwks(t, p.jwk(t, "k1", map[string]any{"use": "sig", "alg": alg})),
			"JWKS with only kty":   "\n " + jwks(t, p.jwk(t, "k1", map[string]any{"use": nil, "alg": nil})),
			"JWKS without kid":     jwks(t, p.jwk(t, "", nil)),
		} {
			t.Run(alg+" "+form, func(t *testing.T) {
				path := keyFile(t, content)
				if err := CheckKeyFile(path); err != nil {
					t.Fatal(err)
				}
				v := newVerifier(t, Config{KeyFile: path})
				accept(t, v, p.token(t, "", nil))
				accept(t, v, p.token(t, "k1", nil))
				if alg != RS256 {
					refuseAs(t, v, freshPair(t, alg).token(t, "", nil), chat.ErrUnauthorized, resultSignature)
				}
			})
		}
	}
	t.Run("PKCS #1", func(t *testing.T) {
		p := freshPair(t, RS256)
		block := &pem.Block{Type: "RSA PUBLIC KEY", Bytes: x509.MarshalPKCS1PublicKey(&rsaKey().PublicKey)}
		accept(t, newVerifier(t, Config{KeyFile: keyFile(t, string(pem.EncodeToMemory(block)))}), p.token(t, "", nil))
	})
}

func certificate(t testing.TB, p pair) string {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "x"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, p.private.Public(), p.private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func TestKeyFilesThatAreRefused(t *testing.T) {
	p := freshPair(t, ES256)
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	many := make([]map[string]any, maxKeys+1)
	for i := range many {
		many[i] = p.jwk(t, "", nil)
	}
	for _, tt := range []struct{ name, content, says string }{
		{"empty", "", "neither"},
		{"text", "hello", "neither"},
		{"HTML", "<html>", "neither"},
		{"private PEM", p.privatePEM(t), "private key"},
		{"private beside public", p.pem(t) + p.privatePEM(t), "private key"},
		{"another PEM", string(pem.EncodeToMemory(&pem.Block{Type: "X509 CRL", Bytes: []byte("x")})), "X509 CRL"},
		{"damaged PEM", string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: []byte("x")})), "asn1"},
		{"JSON, no JWKS", `{"secret":"x"}`, "not a JWKS"},
		{"half JSON", `{"keys":[`, "not a JWKS"},
		{"no keys", jwks(t), "no key"},
		{"keys not a list", `{"keys":{}}`, "not a JWKS"},
		{"keys of numbers", `{"keys":[1]}`, "not a JSON Web Key"},
		{"symmetric key", `{"keys":[{"kty":"oct","k":"` + someSecret + `","kid":"k","alg":"HS256"}]}`, "symmetric"},
		{"private JWK", jwks(t, jwkOf(t, p.private, "k", nil)), "private key"},
		{"short RSA", jwks(t, jwkOf(t, &small.PublicKey, "k", nil)), "1024 bits"},
		{"P-384", jwks(t, jwkOf(t, &p384.PublicKey, "k", nil)), "P-256"},
		{"for encryption", jwks(t, p.jwk(t, "k", map[string]any{"use": "enc"})), "not published for signatures"},
		{"for signing only", jwks(t, p.jwk(t, "k", map[string]any{"key_ops": []string{"sign"}})), "not published for signatures"},
		{"for another algorithm", jwks(t, p.jwk(t, "k", map[string]any{"alg": "HS256"})), "another algorithm"},
		{"point not on the curve", jwks(t, p.jwk(t, "k", map[string]any{"x": "AAAA"})), "key 1"},
		{"too many", jwks(t, many...), "at most"},
		{"too large", `{"keys":[` + strings.Repeat(" ", maxKeySetBytes) + `]}`, "larger than"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := keyFile(t, tt.content)
			_, err := New(context.Background(), Config{KeyFile: path})
			if err == nil || !strings.Contains(err.Error(), tt.says) || !strings.Contains(err.Error(), path) {
				t.Fatalf("%v; want %q and the path", err, tt.says)
			}
			if strings.Contains(err.Error(), someSecret) {
				t.Error("a key is in the error")
			}
			if CheckKeyFile(path) == nil {
				t.Error("CheckKeyFile finds nothing wrong")
			}
		})
	}
	if _, err := New(context.Background(), Config{KeyFile: "/not/there"}); err == nil || strings.Count(err.Error(), "/not/there") != 1 {
		t.Errorf("missing: %v", err)
	}
}

// What an issuer publishes beside the keys that we need does no harm.
func TestUnusableKeysAreLeftOut(t *testing.T) {
	p, other, ed := freshPair(t, ES256), freshPair(t, ES256), freshPair(t, EdDSA)
	v := newVerifier(t, Config{KeyFile: keyFile(t, jwks(t,
		map[string]any{"kty": "oct", "k": someSecret, "kid": "k", "alg": "HS256"},
		map[string]any{"kty": "AKP", "kid": "tomorrow", "pub": "x"},
		p.jwk(t, "k", map[string]any{"x5u": "https://evil.example/cert", "x5c": []string{"MII="}}),
		other.jwk(t, "k", nil), // the same id again: the first one stands
		ed.jwk(t, "k", map[string]any{"alg": "Ed25519"}),
	))})
	accept(t, v, p.token(t, "k", nil))
	accept(t, v, ed.token(t, "k", nil)) // the same id, but another algorithm's ring
	refuseAs(t, v, other.token(t, "k", nil), chat.ErrUnauthorized, resultSignature)
	refuseAs(t, v, p.token(t, "tomorrow", nil), chat.ErrUnauthorized, resultKey)
}

// A token that names no key is tried against a few, never against many.
func TestTokensWithoutKeyIDAreBounded(t *testing.T) {
	p := freshPair(t, ES256)
	few := []map[string]any{p.jwk(t, "mine", nil)}
	for len(few) < maxKeysWithoutID {
		few = append(few, freshPair(t, ES256).jwk(t, string(rune('a'+len(few))), nil))
	}
	accept(t, newVerifier(t, Config{KeyFile: keyFile(t, jwks(t, few...))}), p.token(t, "", nil))
	many := newVerifier(t, Config{KeyFile: keyFile(t, jwks(t, append(few, freshPair(t, ES256).jwk(t, "z", nil))...))})
	refuseAs(t, many, p.token(t, "", nil), chat.ErrUnauthorized, resultKey)
	accept(t, many, p.token(t, "mine", nil))
}

func TestConfigValidate(t *testing.T) {
	secret := []byte(someSecret)
	for _, tt := range []struct {
		name   string
		cfg    Config
		fields []string
	}{
		{"secret", Config{Secret: secret}, nil},
		{"everything", Config{Secret: secret, KeyFile: "f", JWKSURL: "https://x/", Algorithms: []string{HS256, ES256}}, nil},
		{"nothing", Config{}, []string{"Secret"}},
		{"31 bytes", Config{Secret: secret[:31]}, []string{"Secret"}},
		{"PEM", Config{Secret: []byte("-----BEGIN PUBLIC KEY-----\n" + someSecret)}, []string{"Secret"}},
		{"none", Config{Secret: secret, Algorithms: []string{HS256, "none"}}, []string{"Algorithms"}},
		{"HS256 without secret", Config{KeyFile: "f", Algorithms: []string{HS256, RS256}}, []string{"Algorithms"}},
		{"RS256 without keys", Config{Secret: secret, Algorithms: []string{HS256, RS256}}, []string{"Algorithms"}},
		{"a secret in vain", Config{Secret: secret, KeyFile: "f", Algorithms: []string{RS256}}, []string{"Algorithms"}},
		{"keys in vain", Config{Secret: secret, KeyFile: "f", Algorithms: []string{HS256}}, []string{"Algorithms"}},
		{"no URL", Config{JWKSURL: "x"}, []string{"JWKSURL"}},
		{"file URL", Config{JWKSURL: "file:///etc/passwd"}, []string{"JWKSURL"}},
		{"negative leeway", Config{Secret: secret, Leeway: -1}, []string{"Leeway"}},
		{"long leeway", Config{Secret: secret, Leeway: time.Hour}, []string{"Leeway"}},
		{"several at once", Config{Secret: secret[:1], JWKSURL: "x", Leeway: -1}, []string{"Secret", "JWKSURL", "Leeway"}},
	} {
		err := tt.cfg.Validate()
		var fields []string
		if many, ok := err.(interface{ Unwrap() []error }); ok {
			for _, e := range many.Unwrap() {
				if fault, ok := errors.AsType[*FieldError](e); ok {
					fields = append(fields, fault.Field)
				}
			}
		}
		if strings.Join(fields, " ") != strings.Join(tt.fields, " ") {
			t.Errorf("%s: %v; want faults of %v", tt.name, err, tt.fields)
		}
		if len(tt.fields) > 0 {
			if _, err := New(context.Background(), tt.cfg); err == nil {
				t.Errorf("%s: New takes it", tt.name)
			}
		}
	}
}
