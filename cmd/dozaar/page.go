package main

import (
	"context"
	"net/http"
	"time"

	"github.com/dozaar/dozaar/pkg/api"
	"github.com/dozaar/dozaar/pkg/auth"
	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/web"
)

// pageTokenTTL is how long the page's tokens live; it asks for new ones before.
const pageTokenTTL = 12 * time.Hour

// page serves the demonstration, for --dev alone: it signs anybody in.
func (p *process) page(mux *http.ServeMux, c clients, origins *api.Origins) error {
	cfg, err := p.cfg.Auth()
	if err != nil {
		return err
	}
	if len(cfg.Secret) == 0 {
		return nil // tokens are signed elsewhere: there is nobody the page could sign in as
	}
	mint := func(user chat.User, service bool) (string, error) {
		claims := auth.Claims{User: user, Audience: cfg.Audience, Issuer: cfg.Issuer, IssuedAt: time.Now(), ExpiresAt: time.Now().Add(pageTokenTTL)}
		if service {
			claims.Scope = "service"
		}
		return auth.Mint(cfg.Secret, claims)
	}
	create := func(ctx context.Context, conversation chat.Conversation) error {
		stored, created, err := c.store.CreateConversation(ctx, conversation)
		if err == nil && created {
			err = c.producer.PublishConversation(ctx, chat.ConversationEvent{Change: chat.Created, Conversation: stored, At: time.Now()})
		}
		if err != nil {
			p.log.WarnContext(ctx, "make a conversation of the demonstration", "error", err)
		}
		return err
	}
	mux.Handle("/dev/session", origins.Handler(web.DevSession(mint, create)))
	mux.Handle("/", web.Handler())
	return nil
}
