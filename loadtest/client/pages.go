package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/dozaar/dozaar/loadtest/history"
)

// Page is one page of a history.
type Page struct {
	Messages []Stored `json:"messages"`
}

// ErrStatus is an answer that is not 200, and ErrUnauthorized one that no second try changes.
var (
	ErrStatus       = errors.New("the server answers")
	ErrUnauthorized = fmt.Errorf("%w %d", ErrStatus, http.StatusUnauthorized)
)

// pageSize is the most that the API allows.
const pageSize = 100

// History reads the page after a number. It returns ErrStatus for an answer with another status.
func History(ctx context.Context, client *http.Client, gateway, token string, conversation uuid.UUID, after int64) (Page, error) {
	var page Page
	path := "/v1/conversations/" + conversation.String() + "/messages?limit=" + strconv.Itoa(pageSize) + "&afterSeq=" + strconv.FormatInt(after, 10)
	return page, Call(ctx, client, http.MethodGet, gateway+path, token, nil, &page)
}

// Call asks the HTTP API, and decodes its answer into result if there is one.
func Call(ctx context.Context, client *http.Client, method, url, token string, body io.Reader, result any) error {
	request, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+token)
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode >= 300 {
		text, _ := io.ReadAll(io.LimitReader(response.Body, 500))
		if response.StatusCode == http.StatusUnauthorized {
			return fmt.Errorf("%w: %s", ErrUnauthorized, text)
		}
		return fmt.Errorf("%w %d: %s", ErrStatus, response.StatusCode, text)
	}
	if result == nil || response.StatusCode == http.StatusNoContent {
		return nil
	}
	return json.NewDecoder(response.Body).Decode(result)
}

// page reads one page of what a join did not replay. What came live meanwhile lies behind it.
func (d *Device) page(ctx context.Context, conversation uuid.UUID) {
	d.mu.Lock()
	r := d.room(conversation)
	after, epoch, gateway := r.cursor, d.epoch, d.Gateways[d.random.IntN(len(d.Gateways))]
	d.mu.Unlock()
	got, err := History(ctx, d.HTTP, gateway, d.Token(), conversation, after)
	for _, m := range d.paged(r, epoch, got, err) {
		d.OnShown(d, m)
	}
}

// paged takes a page in, and returns what was shown by it.
func (d *Device) paged(r *room, epoch int, got Page, err error) (shown []Stored) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.epoch != epoch || r.pageTo <= r.cursor || !r.joined {
		return nil
	}
	before := r.cursor
	for _, m := range got.Messages {
		if m.Seq > r.pageTo {
			break // it has come live, or will
		}
		d.Stats.Paged.Add(1)
		d.record(came(history.Paged, m))
		r.cursor = max(r.cursor, m.Seq)
		shown = append(shown, m)
	}
	switch {
	case r.cursor >= r.pageTo:
		r.cursor, r.pageTo = max(r.cursor, r.live), 0
	case err != nil || r.cursor == before:
		r.pageAt = d.in(time.Second)
	}
	if d.OnShown == nil {
		return nil
	}
	return shown
}
