package load

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"

	"github.com/dozaar/dozaar/loadtest/client"
)

// tokenLife is how long a token is good; a device takes a new one for each connection.
const tokenLife = time.Hour

// Dozaar is a Dozaar as a target: tokens are signed with its secret, and its HTTP API is asked over any gateway that answers.
type Dozaar struct {
	gateways []string
	secret   []byte
	http     *http.Client
	next     atomic.Uint64
	known    atomic.Bool // to the product: it has taken a token
}

// firstAnswer is how long a product that has never answered is waited for.
const firstAnswer = 30 * time.Second

// NewDozaar is one behind these base URLs. The secret signs tokens, HS256.
func NewDozaar(gateways []string, secret []byte) *Dozaar {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 16
	return &Dozaar{gateways: gateways, secret: secret, http: &http.Client{Transport: transport, Timeout: 10 * time.Second}}
}

// Close lets go of the connections to the HTTP API.
func (a *Dozaar) Close() { a.http.CloseIdleConnections() }

// Gateways implements Target.
func (a *Dozaar) Gateways() []string { return a.gateways }

// Token implements Target.
func (a *Dozaar) Token(m Member) string { return a.token(m, "") }

func (a *Dozaar) token(m Member, scope string) string {
	now := time.Now()
	claims := jwt.MapClaims{"sub": m.ID.String(), "username": m.Name, "iat": now.Unix(), "exp": now.Add(tokenLife).Unix()}
	if scope != "" {
		claims["scope"] = scope
	}
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString(a.secret)
	if err != nil {
		panic("load: " + err.Error()) // HS256 signs anything with any secret
	}
	return token
}

func (a *Dozaar) service() string { return a.token(Member{uuid.Max, "loadtest"}, "service") }

func (a *Dozaar) gateway() string { return a.gateways[a.next.Add(1)%uint64(len(a.gateways))] }

// insist repeats what may be repeated until it is done or ctx ends. A secret that has never been good is not tried again, and who has
// never answered not for long.
func (a *Dozaar) insist(ctx context.Context, do func(gateway string) error) error {
	for began := time.Now(); ; {
		err := do(a.gateway())
		switch {
		case err == nil:
			a.known.Store(true)
			return nil
		case !a.known.Load() && (errors.Is(err, client.ErrUnauthorized) || time.Since(began) > firstAnswer):
			return err
		}
		select {
		case <-ctx.Done():
			return errors.Join(err, context.Cause(ctx))
		case <-time.After(300 * time.Millisecond):
		}
	}
}

func (a *Dozaar) call(ctx context.Context, method, path, token string, body, result any) error {
	return a.insist(ctx, func(gateway string) error {
		text := ""
		if body != nil {
			b, err := json.Marshal(body)
			if err != nil {
				return err
			}
			text = string(b)
		}
		return client.Call(ctx, a.http, method, gateway+path, token, strings.NewReader(text), result)
	})
}

// Create implements Target.
func (a *Dozaar) Create(ctx context.Context, id uuid.UUID, members []Member) error {
	return a.call(ctx, http.MethodPost, "/v1/conversations", a.service(), map[string]any{"id": id, "members": members}, nil)
}

// Admit implements Memberships.
func (a *Dozaar) Admit(ctx context.Context, conversation uuid.UUID, m Member) error {
	return a.call(ctx, http.MethodPut, "/v1/conversations/"+conversation.String()+"/members/"+m.ID.String(), a.service(), m, nil)
}

// Expel implements Memberships.
func (a *Dozaar) Expel(ctx context.Context, conversation, user uuid.UUID) error {
	return a.call(ctx, http.MethodDelete, "/v1/conversations/"+conversation.String()+"/members/"+user.String(), a.service(), nil, nil)
}

// Page implements Pages. It asks once.
func (a *Dozaar) Page(ctx context.Context, reader Member, conversation uuid.UUID, after int64) ([]client.Stored, error) {
	page, err := client.History(ctx, a.http, a.gateway(), a.Token(reader), conversation, after)
	return page.Messages, err
}

// Head implements Archive.
func (a *Dozaar) Head(ctx context.Context, conversation uuid.UUID) (int64, error) {
	var c struct {
		LastSeq int64 `json:"lastSeq"`
	}
	err := a.call(ctx, http.MethodGet, "/v1/conversations/"+conversation.String(), a.service(), nil, &c)
	return c.LastSeq, err
}

// History implements Archive: all messages of a conversation, page by page.
func (a *Dozaar) History(ctx context.Context, conversation uuid.UUID) (all []client.Stored, err error) {
	for after := int64(0); ; {
		var page client.Page
		if err := a.insist(ctx, func(gateway string) (err error) {
			page, err = client.History(ctx, a.http, gateway, a.service(), conversation, after)
			return err
		}); err != nil {
			return nil, err
		}
		if len(page.Messages) == 0 {
			return all, nil
		}
		all = append(all, page.Messages...)
		last := page.Messages[len(page.Messages)-1].Seq
		if last <= after {
			return all, nil // it goes in circles, which the check will see
		}
		after = last
	}
}

// Inbox implements Archive.
func (a *Dozaar) Inbox(ctx context.Context, owner Member) (map[uuid.UUID]Entry, error) {
	all, token := map[uuid.UUID]Entry{}, a.Token(owner)
	for cursor := ""; ; {
		var page struct {
			Conversations []Entry `json:"conversations"`
			Next          *string `json:"next"`
		}
		if err := a.call(ctx, http.MethodGet, "/v1/conversations?limit=100"+cursor, token, nil, &page); err != nil {
			return nil, err
		}
		for _, e := range page.Conversations {
			all[e.ID] = e
		}
		if page.Next == nil {
			return all, nil
		}
		cursor = "&cursor=" + url.QueryEscape(*page.Next)
	}
}
