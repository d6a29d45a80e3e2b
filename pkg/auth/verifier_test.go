package auth

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/golang-jwt/jwt/v5"
	"github.com/prometheus/client_golang/prometheus"
)

func TestAcceptedTokenSaysWho(t *testing.T) {
	v := newVerifier(t, Config{Secret: []byte(someSecret), Leeway: 3 * time.Second})
	exp := time.Now().Add(time.Hour).Truncate(time.Second)
	for _, tt := range []struct {
		name    string
		scope   any
		service bool
	}{
		{"none", nil, false},
		{"empty", "", false},
		{"service", "service", true},
		{"among others", "chat:read  service\tadmin", true},
		{"a longer word", "services service:read", false},
		{"other case", "Service", false},
		{"array", []string{"chat", "service"}, true},
		{"array of strings of words", []string{"chat service"}, true},
		{"empty array", []string{}, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			id := accept(t, v, hs256(t, body(jwt.MapClaims{"exp": exp.Unix(), "username": "Zoë \n", "scope": tt.scope})))
			if id.User.ID.String() != someUser || id.User.Username != "Zoë \n" || id.Service != tt.service {
				t.Errorf("%+v", id)
			}
			if !id.ExpiresAt.Equal(exp.Add(3 * time.Second)) {
				t.Errorf("ExpiresAt %s, want exp %s and the leeway", id.ExpiresAt, exp)
			}
		})
	}
}

// Row 1 of the hostile inputs: algorithms.
func TestAlgorithmConfusionIsRefused(t *testing.T) {
	rsaPair, ecPair, edPair := freshPair(t, RS256), freshPair(t, ES256), freshPair(t, EdDSA)
	file := keyFile(t, rsaPair.pem(t)+ecPair.pem(t)+edPair.pem(t))
	public := newVerifier(t, Config{KeyFile: file})
	both := newVerifier(t, Config{KeyFile: file, Secret: []byte(someSecret)})
	onlyES := newVerifier(t, Config{KeyFile: file, Algorithms: []string{ES256}})
	secret := newVerifier(t, Config{Secret: []byte(someSecret)})

	none := jwt.NewWithClaims(jwt.SigningMethodNone, body(nil))
	unsigned, err := none.SignedString(jwt.UnsafeAllowNoneSignatureType)
	if err != nil {
		t.Fatal(err)
	}
	unsigned += base64.RawURLEncoding.EncodeToString([]byte("x")) // three parts, so that it is not refused for that
	for name, v := range map[string]*Verifier{"public": public, "both": both, "secret": secret} {
		for _, alg := range []string{"none", "None", "NONE", "nOnE", "", "HS257"} {
			t.Run(name+" "+alg, func(t *testing.T) {
				refuseAs(t, v, withHeader(unsigned, fmt.Sprintf(`{"alg":%q,"typ":"JWT"}`, alg)), chat.ErrUnauthorized, resultAlgorithm)
			})
		}
		t.Run(name+" no alg", func(t *testing.T) {
			refuseAs(t, v, withHeader(unsigned, `{"typ":"JWT"}`), chat.ErrUnauthorized, resultAlgorithm)
		})
		for _, method := range []jwt.SigningMethod{jwt.SigningMethodHS384, jwt.SigningMethodHS512} {
			t.Run(name+" "+method.Alg(), func(t *testing.T) {
				refuseAs(t, v, sign(t, method, []byte(someSecret), nil, body(nil)), chat.ErrUnauthorized, resultAlgorithm)
			})
		}
		for _, method := range []jwt.SigningMethod{jwt.SigningMethodRS512, jwt.SigningMethodPS256} {
			t.Run(name+" "+method.Alg(), func(t *testing.T) {
				refuseAs(t, v, sign(t, method, rsaPair.private, nil, body(nil)), chat.ErrUnauthorized, resultAlgorithm)
			})
		}
	}

	// Everything an attacker may take for "the public key as an HMAC secret".
	for _, p := range []pair{rsaPair, ecPair, edPair} {
		for form, key := range map[string]string{
			"PEM": p.pem(t), "PEM trimmed": strings.TrimSpace(p.pem(t)), "JWK": jwks(t, p.jwk(t, "", nil)), "empty": "",
		} {
			token := sign(t, jwt.SigningMethodHS256, []byte(key), nil, body(nil))
			t.Run(p.alg+" "+form, func(t *testing.T) {
				refuseAs(t, public, token, chat.ErrUnauthorized, resultAlgorithm)
				refuseAs(t, both, token, chat.ErrUnauthorized, resultSignature)
				refuseAs(t, secret, token, chat.ErrUnauthorized, resultSignature)
			})
		}
		t.Run(p.alg+" itself", func(t *testing.T) {
			accept(t, public, p.token(t, "", nil))
			accept(t, both, p.token(t, "", nil))
			refuseAs(t, secret, p.token(t, "", nil), chat.ErrUnauthorized, resultAlgorithm)
			if p.alg == ES256 {
				accept(t, onlyES, p.token(t, "", nil))
			} else {
				refuseAs(t, onlyES, p.token(t, "", nil), chat.ErrUnauthorized, resultAlgorithm)
			}
		})
	}
	t.Run("secret", func(t *testing.T) {
		accept(t, secret, hs256(t, body(nil)))
		accept(t, both, hs256(t, body(nil)))
		refuseAs(t, public, hs256(t, body(nil)), chat.ErrUnauthorized, resultAlgorithm)
	})
	t.Run("the signature of another key", func(t *testing.T) {
		refuseAs(t, public, freshPair(t, ES256).token(t, "", nil), chat.ErrUnauthorized, resultSignature)
	})
	t.Run("the algorithm's name changed after signing", func(t *testing.T) {
		token := withHeader(ecPair.token(t, "", nil), `{"alg":"EdDSA","typ":"JWT"}`)
		refuseAs(t, public, token, chat.ErrUnauthorized, resultSignature)
	})
}

// withHeader puts another header on a token; its signature is then wrong.
func withHeader(token, header string) string {
	_, rest, _ := strings.Cut(token, ".")
	return base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + rest
}

// Row 2 of the hostile inputs, what needs no key server: headers that bring or point to keys.
func TestHeadersThatPointToKeysAreRefused(t *testing.T) {
	p := freshPair(t, ES256)
	verifiers := map[string]struct {
		v    *Verifier
		sign func(header map[string]any) string
	}{
		"secret": {newVerifier(t, Config{Secret: []byte(someSecret)}), func(h map[string]any) string {
			return sign(t, jwt.SigningMethodHS256, []byte(someSecret), h, body(nil))
		}},
		"PEM": {newVerifier(t, Config{KeyFile: keyFile(t, p.pem(t))}), func(h map[string]any) string {
			return sign(t, p.method, p.private, h, body(nil))
		}},
	}
	for name, with := range verifiers {
		for header, value := range map[string]any{
			"jku": "https://evil.example/keys", "x5u": "https://evil.example/cert", "jwk": p.jwk(t, "", nil),
			"x5c": []string{"MII="}, "crit": []string{"exp"}, "kid": 7,
		} {
			t.Run(name+" "+header, func(t *testing.T) {
				refuseAs(t, with.v, with.sign(map[string]any{header: value}), chat.ErrUnauthorized, resultMalformed)
			})
		}
		for _, kid := range []string{
			"../../../../dev/null", "/etc/passwd", `C:\keys\k.pem`, "file:///dev/null", "https://evil.example/k", "./k",
			"x' UNION SELECT 'k", "k|id", "k\x00", strings.Repeat("k", 257),
		} {
			t.Run(name+" kid "+kid[:min(20, len(kid))], func(t *testing.T) {
				refuseAs(t, with.v, with.sign(map[string]any{"kid": kid}), chat.ErrUnauthorized, resultKey)
			})
		}
		t.Run(name+" a harmless kid", func(t *testing.T) {
			accept(t, with.v, with.sign(map[string]any{"kid": "2026-key/1+2="}))
		})
	}
}

// Row 3 of the hostile inputs: claims. Each token is signed with the right key.
func TestClaims(t *testing.T) {
	now := time.Now()
	v := newVerifier(t, Config{Secret: []byte(someSecret), Audience: []string{"chat", "shop"}, Issuer: "https://id.example"})
	ours := jwt.MapClaims{"aud": "chat", "iss": "https://id.example"}
	with := func(changes jwt.MapClaims) jwt.MapClaims {
		claims := body(ours)
		for name, value := range changes {
			claims[name] = value
			if value == nil {
				delete(claims, name)
			}
		}
		return claims
	}
	type claims = jwt.MapClaims
	for _, tt := range []struct {
		name   string
		claims claims
		want   *chat.Error // nil: accepted
		result string
	}{
		{"good", with(nil), nil, ""},
		{"another of our audiences", with(claims{"aud": []string{"x", "shop"}}), nil, ""},
		{"nbf now", with(claims{"nbf": now.Unix()}), nil, ""},
		{"a fraction of a second", with(claims{"exp": float64(now.Unix()) + 3600.25}), nil, ""},
		{"unknown claims", with(claims{"SUB": "root", "roles": []string{"x"}, "Scope": "service"}), nil, ""},
		{"upper case UUID", with(claims{"sub": strings.ToUpper(someUser)}), nil, ""},

		{"wrong audience", with(claims{"aud": "other"}), chat.ErrUnauthorized, resultClaims},
		{"no audience", with(claims{"aud": nil}), chat.ErrUnauthorized, resultClaims},
		{"empty audience", with(claims{"aud": []string{}}), chat.ErrUnauthorized, resultClaims},
		{"audience a number", with(claims{"aud": 1}), chat.ErrUnauthorized, resultClaims},
		{"wrong issuer", with(claims{"iss": "https://id.example/"}), chat.ErrUnauthorized, resultClaims},
		{"no issuer", with(claims{"iss": nil}), chat.ErrUnauthorized, resultClaims},
		{"no exp", with(claims{"exp": nil}), chat.ErrUnauthorized, resultClaims},
		{"exp a string", with(claims{"exp": "2099-01-01"}), chat.ErrUnauthorized, resultClaims},
		{"exp far beyond time", with(claims{"exp": 1e300}), chat.ErrUnauthorized, resultClaims},
		{"exp in milliseconds", with(claims{"exp": now.Add(time.Hour).UnixMilli()}), chat.ErrUnauthorized, resultClaims},
		{"exp null", with(claims{"exp": []byte(nil)}), chat.ErrUnauthorized, resultClaims},
		{"nbf ahead", with(claims{"nbf": now.Add(time.Minute).Unix()}), chat.ErrUnauthorized, resultNotYet},
		{"nbf a list", with(claims{"nbf": []int{1}}), chat.ErrUnauthorized, resultClaims},
		{"no sub", with(claims{"sub": nil}), chat.ErrUnauthorized, resultClaims},
		{"sub not a UUID", with(claims{"sub": "admin"}), chat.ErrUnauthorized, resultClaims},
		{"sub half a UUID", with(claims{"sub": someUser[:35] + "x"}), chat.ErrUnauthorized, resultClaims},
		{"sub in braces", with(claims{"sub": "{" + someUser + "}"}), chat.ErrUnauthorized, resultClaims},
		{"sub nil UUID", with(claims{"sub": "00000000-0000-0000-0000-000000000000"}), chat.ErrUnauthorized, resultClaims},
		{"sub a number", with(claims{"sub": 42}), chat.ErrUnauthorized, resultClaims},
		{"SUB instead of sub", with(claims{"sub": nil, "SUB": someUser}), chat.ErrUnauthorized, resultClaims},
		{"no username", with(claims{"username": nil}), chat.ErrUnauthorized, resultClaims},
		{"empty username", with(claims{"username": ""}), chat.ErrUnauthorized, resultClaims},
		{"long username", with(claims{"username": strings.Repeat("x", chat.MaxUsernameChars+1)}), chat.ErrUnauthorized, resultClaims},
		{"username an object", with(claims{"username": claims{"x": 1}}), chat.ErrUnauthorized, resultClaims},
		{"scope a number", with(claims{"scope": 1}), chat.ErrUnauthorized, resultClaims},
		{"scope a list of numbers", with(claims{"scope": []int{1}}), chat.ErrUnauthorized, resultClaims},

		{"expired", with(claims{"exp": now.Add(-time.Second).Unix()}), chat.ErrTokenExpired, resultExpired},
		{"expires now", with(claims{"exp": now.Unix()}), chat.ErrTokenExpired, resultExpired},
		{"expired and of another issuer", with(claims{"exp": now.Unix(), "iss": "x"}), chat.ErrUnauthorized, resultClaims},
		{"expired and of another audience", with(claims{"exp": now.Unix(), "aud": "x"}), chat.ErrUnauthorized, resultClaims},
		{"expired and without sub", with(claims{"exp": now.Unix(), "sub": nil}), chat.ErrUnauthorized, resultClaims},
	} {
		t.Run(tt.name, func(t *testing.T) {
			token := hs256(t, tt.claims)
			if tt.want == nil {
				if id := accept(t, v, token); id.User.ID.String() != someUser || id.Service {
					t.Errorf("%+v", id)
				}
				return
			}
			refuseAs(t, v, token, tt.want, tt.result)
		})
	}
	t.Run("expired and badly signed is not called expired", func(t *testing.T) {
		token := sign(t, jwt.SigningMethodHS256, []byte(strings.Repeat("x", 32)), nil, with(claims{"exp": 1}))
		refuseAs(t, v, token, chat.ErrUnauthorized, resultSignature)
	})
}

func TestLeeway(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	v := newVerifier(t, Config{Secret: []byte(someSecret), Leeway: 5 * time.Second, Clock: func() time.Time { return now }})
	at := func(d time.Duration) int64 { return now.Add(d).Unix() }
	accept(t, v, hs256(t, body(jwt.MapClaims{"exp": at(-4 * time.Second)})))
	accept(t, v, hs256(t, body(jwt.MapClaims{"nbf": at(5 * time.Second), "exp": at(time.Hour)})))
	refuseAs(t, v, hs256(t, body(jwt.MapClaims{"exp": at(-5 * time.Second)})), chat.ErrTokenExpired, resultExpired)
	refuseAs(t, v, hs256(t, body(jwt.MapClaims{"nbf": at(6 * time.Second), "exp": at(time.Hour)})), chat.ErrUnauthorized, resultNotYet)
}

// Row 4 of the hostile inputs, and what else is no token at all.
func TestShape(t *testing.T) {
	v := newVerifier(t, Config{Secret: []byte(someSecret)})
	enc := base64.RawURLEncoding.EncodeToString
	raw := func(header, claims string) string {
		text := enc([]byte(header)) + "." + enc([]byte(claims))
		sig, err := jwt.SigningMethodHS256.Sign(text, []byte(someSecret))
		if err != nil {
			t.Fatal(err)
		}
		return text + "." + enc(sig)
	}
	const header = `{"alg":"HS256"}`
	good := hs256(t, body(nil))
	long := hs256(t, body(jwt.MapClaims{"pad": strings.Repeat("x", MaxTokenBytes)}))
	for name, token := range map[string]string{
		"empty":                "",
		"a megabyte":           strings.Repeat("a", 1<<20),
		"a megabyte of dots":   strings.Repeat(".", 1<<20),
		"a few dots":           "....",
		"two dots":             "..",
		"no signature at all":  good[:strings.LastIndex(good, ".")],
		"four parts":           good + ".x",
		"well signed but long": long,
		"not base64":           "é.é.é",
		"padded":               good + "=",
		"spaces":               " " + good,
		"line break":           good + "\n",
		"with Bearer":          "Bearer " + good,
		"header not JSON":      raw(`{`, `{}`),
		"header a list":        raw(`[]`, `{}`),
		"header null":          raw(`null`, `{}`),
		"claims not JSON":      raw(header, `{`),
		"claims a list":        raw(header, `[]`),
		"claims a string":      raw(header, `"x"`),
		"claims deep":          raw(header, strings.Repeat("[", 5000)),
		"claims after claims":  raw(header, `{} {}`),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := v.Verify(context.Background(), token)
			if !errors.Is(err, chat.ErrUnauthorized) {
				t.Fatalf("%v", err)
			}
			if len(err.Error()) > 200 {
				t.Errorf("the error has %d bytes", len(err.Error()))
			}
		})
	}
	t.Run("claims null", func(t *testing.T) {
		refuseAs(t, v, raw(header, `null`), chat.ErrUnauthorized, resultClaims)
	})
	t.Run("the longest", func(t *testing.T) {
		pad := MaxTokenBytes - len(good) - 16
		for ; ; pad-- {
			token := hs256(t, body(jwt.MapClaims{"pad": strings.Repeat("x", pad*3/4)}))
			if len(token) <= MaxTokenBytes {
				accept(t, v, token)
				return
			}
		}
	})
}

// What is over the limit costs nothing: no allocation that grows with it.
func TestLongTokensAreRefusedBeforeParsing(t *testing.T) {
	v := newVerifier(t, Config{Secret: []byte(someSecret)})
	token := strings.Repeat("a", 1<<20) + "." + strings.Repeat("b", 1<<20) + ".c"
	allocations := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for range b.N {
			_, _ = v.Verify(context.Background(), token)
		}
	}).AllocedBytesPerOp()
	if allocations > 1024 {
		t.Errorf("%d bytes allocated for a token that is not parsed", allocations)
	}
}

func TestNothingOfATokenIsLogged(t *testing.T) {
	var log bytes.Buffer
	registry := prometheus.NewRegistry()
	v := newVerifier(t, Config{Secret: []byte(someSecret), Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})), Registerer: registry})
	accept(t, v, hs256(t, body(nil)))
	refuseAs(t, v, sign(t, jwt.SigningMethodHS256, []byte(strings.Repeat("x", 32)), nil, body(nil)), chat.ErrUnauthorized, resultSignature)
	if log.Len() > 0 {
		t.Errorf("logged: %s", log.String())
	}
	for labels, want := range map[string]float64{"result=accepted": 1, "result=signature": 1, "result=expired": 0} {
		if got := metric(t, registry, "dozaar_auth_tokens_total", labels); got != want {
			t.Errorf("%s: %v, want %v", labels, got, want)
		}
	}
	if _, err := New(context.Background(), Config{Secret: []byte(someSecret), Registerer: registry}); err == nil {
		t.Error("the same metrics twice in one registry")
	}
}

func TestBearerToken(t *testing.T) {
	for header, want := range map[string]string{
		"Bearer abc": "abc", "bearer abc": "abc", "Bearer  abc ": "abc", "": "", "abc": "", "Basic abc": "", "Bearer": "", "Bearer ": "",
	} {
		if got := BearerToken(http.Header{"Authorization": {header}}); got != want {
			t.Errorf("%q: %q, want %q", header, got, want)
		}
	}
}

func FuzzVerify(f *testing.F) {
	v := newVerifier(f, Config{Secret: []byte(someSecret)})
	good := hs256(f, body(nil))
	for _, seed := range []string{good, "", "..", "a.b.c", good[1:], withHeader(good, `{"alg":"none"}`), withHeader(good, `{"alg":"HS256","kid":"../x"}`), strings.Repeat(".", 100)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, token string) {
		id, err := v.Verify(context.Background(), token)
		if err == nil && token != good {
			t.Fatalf("accepted %q as %+v", token, id)
		}
		if err != nil && !errors.Is(err, chat.ErrUnauthorized) && !errors.Is(err, chat.ErrTokenExpired) {
			t.Fatalf("%v", err)
		}
	})
}
