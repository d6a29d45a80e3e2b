package auth

import (
	"errors"
	"fmt"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/golang-jwt/jwt/v5"
)

// Claims are what a minted token says.
type Claims struct {
	User      chat.User
	Scope     string   // words separated by spaces; ServiceScope for the marketplace's backend
	Audience  []string // left out if empty
	Issuer    string   // left out if empty
	IssuedAt  time.Time
	ExpiresAt time.Time
}

// Mint signs claims with HS256. It refuses what Verify would refuse: a short secret, a nil user id, a
// missing name, an end that is not after the beginning.
func Mint(secret []byte, c Claims) (string, error) {
	if err := CheckSecret(secret); err != nil {
		return "", fmt.Errorf("the secret %w", err)
	}
	if err := c.User.Validate(); err != nil {
		return "", err
	}
	if !c.ExpiresAt.After(c.IssuedAt) {
		return "", errors.New("the token would be expired when it is issued")
	}
	body := jwt.MapClaims{
		"sub":      c.User.ID.String(),
		"username": c.User.Username,
		"iat":      c.IssuedAt.Unix(),
		"exp":      c.ExpiresAt.Unix(),
	}
	if c.Scope != "" {
		body["scope"] = c.Scope
	}
	if len(c.Audience) > 0 {
		body["aud"] = c.Audience
	}
	if c.Issuer != "" {
		body["iss"] = c.Issuer
	}
	return jwt.NewWithClaims(jwt.SigningMethodHS256, body).SignedString(secret)
}
