package auth

import (
	"strings"
	"testing"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
)

func TestMintedTokensAreAccepted(t *testing.T) {
	id, _ := chat.ParseID(someUser)
	now := time.Now()
	c := Claims{User: chat.User{ID: id, Username: "ann"}, Scope: ServiceScope, Audience: []string{"chat"}, Issuer: "me", IssuedAt: now, ExpiresAt: now.Add(time.Minute)}
	token, err := Mint([]byte(someSecret), c)
	if err != nil {
		t.Fatal(err)
	}
	got := accept(t, newVerifier(t, Config{Secret: []byte(someSecret), Audience: []string{"chat"}, Issuer: "me"}), token)
	if got.User != c.User || !got.Service || got.ExpiresAt.Unix() != c.ExpiresAt.Unix() {
		t.Errorf("%+v", got)
	}
	c.Scope, c.Audience, c.Issuer = "", nil, ""
	if token, err = Mint([]byte(someSecret), c); err != nil {
		t.Fatal(err)
	}
	if got := accept(t, newVerifier(t, Config{Secret: []byte(someSecret)}), token); got.Service {
		t.Error("a service without scope")
	}
}

func TestMintRefuses(t *testing.T) {
	id, _ := chat.ParseID(someUser)
	now := time.Now()
	good := Claims{User: chat.User{ID: id, Username: "ann"}, IssuedAt: now, ExpiresAt: now.Add(time.Minute)}
	for _, tt := range []struct {
		name   string
		secret string
		change func(*Claims)
		says   string
	}{
		{"short secret", "tooshort", func(*Claims) {}, "32"},
		{"PEM as secret", "-----BEGIN PUBLIC KEY-----" + someSecret, func(*Claims) {}, "PEM"},
		{"no user", someSecret, func(c *Claims) { c.User.ID = chat.ID{} }, "UUID"},
		{"no name", someSecret, func(c *Claims) { c.User.Username = "" }, "username"},
		{"expired", someSecret, func(c *Claims) { c.ExpiresAt = now }, "expired"},
	} {
		c := good
		tt.change(&c)
		token, err := Mint([]byte(tt.secret), c)
		if err == nil || token != "" || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), tt.secret) {
			t.Errorf("%s: %q, %v", tt.name, token, err)
		}
	}
}
