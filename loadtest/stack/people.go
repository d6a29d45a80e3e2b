package stack

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/dozaar/dozaar/loadtest/converse"
)

// Person is a member.
type Person struct {
	UserID   string `json:"userId"`
	Username string `json:"username"`
}

// Meet makes conversations of so many members each, as a marketplace's backend does.
func (p *Product) Meet(ctx context.Context, count, members int) ([]converse.Conversation, error) {
	backend, err := token(p.Secret, uuid.NewString(), "backend", "service")
	if err != nil {
		return nil, err
	}
	return Meet(ctx, p.Secret, count, members, func(ctx context.Context, met converse.Conversation, people []Person) error {
		return p.post(ctx, backend, "/v1/conversations", struct {
			ID      string   `json:"id"`
			Members []Person `json:"members"`
		}{met.ID, people})
	})
}

// Meet makes up conversations, whose members have tokens by that secret, and tells of each the server that is to know them.
func Meet(
	ctx context.Context, secret string, count, members int, tell func(context.Context, converse.Conversation, []Person) error,
) ([]converse.Conversation, error) {
	all := make([]converse.Conversation, count)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(8)
	for i := range all {
		group.Go(func() error {
			met, people, err := strangers(secret, i, members)
			if err != nil {
				return err
			}
			all[i] = met
			return tell(ctx, met, people)
		})
	}
	return all, group.Wait()
}

// strangers are the members of a conversation that no server knows yet.
func strangers(secret string, conversation, members int) (met converse.Conversation, people []Person, err error) {
	met.ID = uuid.NewString()
	for n := range members {
		m := Person{uuid.NewString(), fmt.Sprintf("person %d of %d", n, conversation)}
		people = append(people, m)
		t, err := token(secret, m.UserID, m.Username, "")
		if err != nil {
			return met, nil, err
		}
		met.Tokens = append(met.Tokens, t)
	}
	return met, people, nil
}

func token(secret, user, name, scope string) (string, error) {
	claims := jwt.MapClaims{"sub": user, "username": name, "exp": time.Now().Add(6 * time.Hour).Unix()}
	if scope != "" {
		claims["scope"] = scope
	}
	return jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte(secret))
}

func (p *Product) post(ctx context.Context, token, path string, body any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+p.Named(GatewayA).Listen+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Content-Type", "application/json")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close() //nolint:errcheck // it was read
	said, _ := io.ReadAll(response.Body)
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("POST %s: %s: %s", path, response.Status, said)
	}
	return nil
}
