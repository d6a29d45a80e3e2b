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

// api is the product's HTTP API, over any gateway that answers.
type api struct {
	gateways []string
	secret   []byte
	http     *http.Client
	next     atomic.Uint64
}

func newAPI(p Plan) *api {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 16
	return &api{gateways: p.Gateways, secret: p.Secret, http: &http.Client{Transport: transport, Timeout: 10 * time.Second}}
}

func (a *api) token(user uuid.UUID, name, scope string) string {
	now := time.Now()
	claims := jwt.MapClaims{"sub": user.String(), "username": name, "iat": now.Unix(), "exp": now.Add(tokenLife).Unix()}
	if scope != "" {
		claims["scope"] = scope
	}
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString(a.secret)
	if err != nil {
		panic("load: " + err.Error()) // HS256 signs anything with any secret
	}
	return token
}

func (a *api) service() string { return a.token(uuid.Max, "loadtest", "service") }

func (a *api) gateway() string { return a.gateways[a.next.Add(1)%uint64(len(a.gateways))] }

// insist repeats what may be repeated until it is done or ctx ends.
func (a *api) insist(ctx context.Context, do func(gateway string) error) error {
	for {
		err := do(a.gateway())
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(err, context.Cause(ctx))
		case <-time.After(300 * time.Millisecond):
		}
	}
}

func (a *api) call(ctx context.Context, method, path, token string, body, result any) error {
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

type newMember struct {
	UserID   uuid.UUID `json:"userId"`
	Username string    `json:"username"`
}

func (a *api) create(ctx context.Context, id uuid.UUID, members []newMember) error {
	return a.call(ctx, http.MethodPost, "/v1/conversations", a.service(), map[string]any{"id": id, "members": members}, nil)
}

func (a *api) admit(ctx context.Context, conversation uuid.UUID, m newMember) error {
	return a.call(ctx, http.MethodPut, "/v1/conversations/"+conversation.String()+"/members/"+m.UserID.String(), a.service(), m, nil)
}

func (a *api) expel(ctx context.Context, conversation, user uuid.UUID) error {
	return a.call(ctx, http.MethodDelete, "/v1/conversations/"+conversation.String()+"/members/"+user.String(), a.service(), nil, nil)
}

func (a *api) head(ctx context.Context, conversation uuid.UUID) (int64, error) {
	var c struct {
		LastSeq int64 `json:"lastSeq"`
	}
	err := a.call(ctx, http.MethodGet, "/v1/conversations/"+conversation.String(), a.service(), nil, &c)
	return c.LastSeq, err
}

// history reads all messages of a conversation, page by page.
func (a *api) history(ctx context.Context, conversation uuid.UUID) (all []client.Stored, err error) {
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

type inboxEntry struct {
	ID      uuid.UUID `json:"id"`
	LastSeq int64     `json:"lastSeq"`
	ReadSeq int64     `json:"readSeq"`
	Unread  int64     `json:"unread"`
}

func (a *api) inbox(ctx context.Context, token string) (map[uuid.UUID]inboxEntry, error) {
	all := map[uuid.UUID]inboxEntry{}
	for cursor := ""; ; {
		var page struct {
			Conversations []inboxEntry `json:"conversations"`
			Next          *string      `json:"next"`
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
