package web

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/dozaar/dozaar/pkg/chat"
)

// The people of the demonstration. Their ids are fixed, so that a reload and a restart find the same history.
var (
	bea = chat.User{ID: uuid.MustParse("b0000000-0000-4000-8000-000000000001"), Username: "Bea"}
	sam = chat.User{ID: uuid.MustParse("5e000000-0000-4000-8000-000000000002"), Username: "Sam"}
)

// listings are what they talk about: one conversation each, made once, found again by its key.
var listings = []struct{ key, listing, price string }{
	{"demo/walnut-desk", "Walnut desk", "€480"},
	{"demo/road-bike", "Road bike, 56 cm", "€1,150"},
	{"demo/film-camera", "35 mm film camera", "€220"},
}

// Participant is one side of the demonstration, with a token to connect by.
type Participant struct {
	UserID   chat.ID `json:"userId"`
	Username string  `json:"username"`
	Token    string  `json:"token"`
}

// Session is what POST /dev/session answers.
type Session struct {
	Buyer         Participant `json:"buyer"`
	Seller        Participant `json:"seller"`
	Conversations []chat.ID   `json:"conversations"`
}

// DevSession answers POST with a Session: a token for the buyer, one for the seller, and the
// conversations they share, which it creates first. It is for --dev alone: it signs anybody in.
//
// mint signs a token; how long it lives is the caller's choice (the page asks again before it runs
// out). create stores a conversation and answers nil where one of that key is there already; it is
// called for each until all have succeeded once. Neither's error is logged here. Any origin may ask,
// as --dev allows them all.
func DevSession(
	mint func(user chat.User, service bool) (string, error),
	create func(ctx context.Context, conversation chat.Conversation) error,
) http.Handler {
	d := &devSession{mint: mint, create: create}
	return http.HandlerFunc(d.serve)
}

type devSession struct {
	mint   func(chat.User, bool) (string, error)
	create func(context.Context, chat.Conversation) error

	mu      sync.Mutex // guards created, and makes two first requests create once
	created bool
}

func (d *devSession) serve(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Access-Control-Allow-Origin", "*")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	switch r.Method {
	case http.MethodPost:
	case http.MethodOptions:
		h.Set("Access-Control-Allow-Methods", "POST")
		h.Set("Access-Control-Allow-Headers", "Content-Type")
		w.WriteHeader(http.StatusNoContent)
		return
	default:
		h.Set("Allow", "POST, OPTIONS")
		problem(w, http.StatusMethodNotAllowed, "only POST")
		return
	}
	session, err := d.session(r.Context())
	if err != nil {
		problem(w, http.StatusServiceUnavailable, chat.AsError(err).Message)
		return
	}
	h.Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(session) // a client that went away needs no answer
}

func (d *devSession) session(ctx context.Context) (Session, error) {
	if err := d.createAll(ctx); err != nil {
		return Session{}, err
	}
	buyer, err := d.participant(bea)
	if err != nil {
		return Session{}, err
	}
	seller, err := d.participant(sam)
	if err != nil {
		return Session{}, err
	}
	s := Session{Buyer: buyer, Seller: seller}
	for _, l := range listings {
		s.Conversations = append(s.Conversations, chat.ConversationIDFromKey(l.key))
	}
	return s, nil
}

func (d *devSession) participant(u chat.User) (Participant, error) {
	token, err := d.mint(u, false)
	if err != nil {
		return Participant{}, fmt.Errorf("mint a token for %s: %w", u.Username, err)
	}
	return Participant{UserID: u.ID, Username: u.Username, Token: token}, nil
}

// createAll makes the conversations the first time, and again after a failure.
func (d *devSession) createAll(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.created {
		return nil
	}
	now := time.Now().UTC().Truncate(time.Millisecond)
	for i, l := range listings {
		at := now.Add(-time.Duration(i) * time.Minute) // lists show the newest first: the first listing
		c, err := conversation(l.key, l.listing, l.price, at)
		if err != nil {
			return err
		}
		if err := d.create(ctx, c); err != nil {
			return fmt.Errorf("create the conversation %q: %w", l.key, err)
		}
	}
	d.created = true
	return nil
}

func conversation(key, listing, price string, at time.Time) (chat.Conversation, error) {
	metadata, err := json.Marshal(map[string]string{"listing": listing, "price": price})
	if err != nil {
		return chat.Conversation{}, fmt.Errorf("metadata of %q: %w", key, err)
	}
	return chat.Conversation{
		ID:  chat.ConversationIDFromKey(key),
		Key: key,
		Members: []chat.Member{
			{UserID: bea.ID, Username: bea.Username, Role: "buyer"},
			{UserID: sam.ID, Username: sam.Username, Role: "seller"},
		},
		Metadata:  metadata,
		CreatedAt: at,
	}, nil
}

// problem answers an error by RFC 9457. The reason stays inside; a person gets a sentence.
func problem(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{"title": http.StatusText(status), "status": status, "detail": detail})
}
