package main

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
)

// meet makes conversations, of one sender and the recipients each, as a marketplace's backend does.
func (p *product) meet(ctx context.Context, count int) ([]conversation, error) {
	backend, err := p.token(uuid.NewString(), "backend", "service")
	if err != nil {
		return nil, err
	}
	all := make([]conversation, count)
	for i := range all {
		type member struct {
			UserID   string `json:"userId"`
			Username string `json:"username"`
		}
		body := struct {
			ID      string   `json:"id"`
			Members []member `json:"members"`
		}{ID: uuid.NewString()}
		all[i].ID = body.ID
		for n := range 1 + recipients {
			m := member{uuid.NewString(), fmt.Sprintf("person %d of %d", n, i)}
			body.Members = append(body.Members, m)
			token, err := p.token(m.UserID, m.Username, "")
			if err != nil {
				return nil, err
			}
			all[i].Tokens = append(all[i].Tokens, token)
		}
		if err := p.post(ctx, backend, "/v1/conversations", body); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func (p *product) token(user, name, scope string) (string, error) {
	claims := jwt.MapClaims{"sub": user, "username": name, "exp": time.Now().Add(6 * time.Hour).Unix()}
	if scope != "" {
		claims["scope"] = scope
	}
	return jwt.NewWithClaims(jwt.SigningMethodHS256, claims).SignedString([]byte(p.secret))
}

func (p *product) post(ctx context.Context, token, path string, body any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+p.named(gatewayA).listen+path, bytes.NewReader(text))
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
