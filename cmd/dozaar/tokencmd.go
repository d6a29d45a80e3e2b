package main

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/dozaar/dozaar/pkg/auth"
	"github.com/dozaar/dozaar/pkg/chat"
)

// tokenCmd is `dozaar token`.
type tokenCmd struct {
	User     string        `required:"" local:"" placeholder:"UUID" help:"The user's id."`
	Username string        `required:"" local:"" placeholder:"NAME" help:"The user's name, as others see it."`
	Scope    string        `local:"" placeholder:"WORDS" help:"service, for the marketplace's backend."`
	TTL      time.Duration `name:"ttl" default:"1h" local:"" placeholder:"DURATION" help:"How long the token is good."`

	Signing SigningConfig `embed:"" group:"Tokens:"`
	Data    DataConfig    `embed:"" group:"Data:"`
}

// Help is what `dozaar token --help` adds.
func (*tokenCmd) Help() string {
	return `The token is signed (HS256) by DOZAAR_JWT_SECRET or, if that is not set, by the secret that ` +
		"`dozaar all --dev`" + ` made in the same data folder. Nothing but the token is printed to standard output.`
}

func (c *tokenCmd) Run(a *app) error {
	if err := a.settings.valid(c.Data); err != nil {
		return err
	}
	id, ok := chat.ParseID(c.User)
	if !ok {
		return &usageError{fmt.Errorf("--user: %q is not a UUID", c.User)}
	}
	user := chat.User{ID: id, Username: c.Username}
	if err := user.Validate(); err != nil {
		return &usageError{fmt.Errorf("--%w", err)}
	}
	if c.TTL < time.Second {
		return &usageError{fmt.Errorf("--ttl: must be at least 1s, is %s", c.TTL)}
	}
	secret, err := c.secret()
	if err != nil {
		return err
	}
	now := time.Now()
	token, err := auth.Mint(secret, auth.Claims{
		User: user, Scope: c.Scope, Audience: c.Signing.JWTAudience, Issuer: c.Signing.JWTIssuer,
		IssuedAt: now, ExpiresAt: now.Add(c.TTL),
	})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(a.stdout, token)
	return err
}

func (c *tokenCmd) secret() ([]byte, error) {
	if c.Signing.JWTSecret.IsSet() {
		secret := c.Signing.JWTSecret.Reveal()
		if err := auth.CheckSecret(secret); err != nil {
			return nil, fmt.Errorf("DOZAAR_JWT_SECRET (--jwt-secret): %w", err)
		}
		return secret, nil
	}
	secret, err := readDevSecret(c.Data.DataDir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("no secret to sign with: set DOZAAR_JWT_SECRET, or start `dozaar all --dev` with the data folder %s first", c.Data.DataDir)
	}
	return secret, err
}
