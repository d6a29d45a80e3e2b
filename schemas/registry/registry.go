// Package registry asks a Confluent-compatible schema registry for what package schemas needs of one.
//
// It tells "the registry says there is no such schema" (schemas.ErrNotRegistered) from "the registry
// could not be asked" (chat.ErrUnavailable): only the first makes a record unreadable for ever. An answer
// of 404 without the registry's own error code, as a proxy gives it, is of the second kind. What the registry
// has against us, or against a schema, is any other error.
package registry

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/schemas"
	"github.com/twmb/franz-go/pkg/sr"
)

// Registry is a client of a schema registry. It is safe for concurrent use.
type Registry struct {
	client *sr.Client
	http   *http.Client
}

// New makes a client of the registry at any of the URLs, of which one may hold a user and a password. Its HTTP
// client may be nil: then it is one with connections of its own and a timeout of 5 s. Close it.
func New(via *http.Client, urls ...string) (*Registry, error) {
	if via == nil {
		via = &http.Client{
			Timeout: 5 * time.Second,
			Transport: bounded{&http.Transport{
				Proxy:               http.ProxyFromEnvironment,
				MaxIdleConnsPerHost: 2,
				IdleConnTimeout:     30 * time.Second,
			}},
		}
	}
	options := []sr.ClientOpt{sr.UserAgent("dozaar"), sr.HTTPClient(via)}
	plain := make([]string, len(urls)) // without what nobody shall read in an error
	for i, text := range urls {
		u, err := url.Parse(text)
		if err != nil {
			return nil, errors.New("schema registry: its URL cannot be read")
		}
		if password, ok := u.User.Password(); ok {
			options = append(options, sr.BasicAuth(u.User.Username(), password))
		}
		u.User = nil
		plain[i] = u.String()
	}
	client, err := sr.NewClient(append(options, sr.URLs(plain...))...)
	if err != nil {
		return nil, fmt.Errorf("schema registry: %w", err)
	}
	return &Registry{client, via}, nil
}

// maxAnswer is far more than any schema has.
const maxAnswer = 8 << 20

// bounded gives up an answer that is longer than a registry's can be, before it fills the memory.
type bounded struct{ *http.Transport }

func (b bounded) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := b.Transport.RoundTrip(req)
	if err == nil {
		res.Body = http.MaxBytesReader(nil, res.Body, maxAnswer)
	}
	return res, err
}

// Close ends idle connections.
func (r *Registry) Close() { r.http.CloseIdleConnections() }

// ID implements schemas.Registry.
func (r *Registry) ID(ctx context.Context, subject, schema string) (int, error) {
	found, err := r.client.LookupSchema(ctx, subject, sr.Schema{Schema: schema})
	if err != nil {
		return 0, fault(err)
	}
	return found.ID, nil
}

// Schema implements schemas.Registry.
func (r *Registry) Schema(ctx context.Context, id int) (string, error) {
	found, err := r.client.SchemaByID(ctx, id)
	if err != nil {
		return "", fault(err)
	}
	return found.Schema, nil
}

// Register implements schemas.Registrar.
func (r *Registry) Register(ctx context.Context, subject, schema string) (int, error) {
	level := sr.SetCompatibility{Level: sr.CompatFullTransitive}
	for _, result := range r.client.SetCompatibility(ctx, level, subject) {
		if result.Err != nil {
			return 0, fmt.Errorf("set the compatibility of %s: %w", subject, fault(result.Err))
		}
	}
	id, err := r.client.RegisterSchema(ctx, subject, sr.Schema{Schema: schema}, -1, -1)
	if err == nil {
		return id, nil
	}
	if answer, ok := errors.AsType[*sr.ResponseError](err); ok && answer.StatusCode == http.StatusConflict {
		return 0, fmt.Errorf("%w; what the subject has already (GET /subjects/%s/versions) is another release's, or not ours at all: then delete it, or give Dozaar a registry of its own",
			fault(err), subject)
	}
	return 0, fault(err)
}

// Compatibility is the subject's level, such as FULL_TRANSITIVE, or "" where it has none of its own.
func (r *Registry) Compatibility(ctx context.Context, subject string) (string, error) {
	results := r.client.Compatibility(ctx, subject)
	if len(results) == 0 {
		return "", nil
	}
	if err := results[0].Err; err != nil {
		if err = fault(err); errors.Is(err, schemas.ErrNotRegistered) {
			return "", nil
		}
		return "", err
	}
	return results[0].Level.String(), nil
}

// ErrRefused says that the registry is there and does not let us in.
var ErrRefused = errors.New("the schema registry does not let us in")

func fault(err error) error {
	answer, answered := errors.AsType[*sr.ResponseError](err)
	if answered && answer.ErrorCode == 0 { // not a registry's words, but somebody's page
		err = fmt.Errorf("%s %s was answered with %d, and not by a schema registry", answer.Method, answer.URL, answer.StatusCode)
	}
	switch {
	case answered && sr.IsNotFoundError(answer.ErrorCode):
		return fmt.Errorf("%w: %w", schemas.ErrNotRegistered, err)
	case answered && (answer.StatusCode == http.StatusUnauthorized || answer.StatusCode == http.StatusForbidden):
		return fmt.Errorf("%w: %w", ErrRefused, err)
	case answered && (answer.StatusCode == http.StatusConflict || answer.StatusCode == http.StatusUnprocessableEntity):
		return fmt.Errorf("schema registry: %w", err) // of the schema
	}
	return fmt.Errorf("schema registry: %w: %w", chat.ErrUnavailable, err)
}
