package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/dozaar/dozaar/pkg/auth"
	"github.com/dozaar/dozaar/pkg/chat"
)

// eraseCmd is `dozaar erase`.
type eraseCmd struct {
	User eraseUserCmd `cmd:"" help:"Erase what a user has written."`
}

type eraseUserCmd struct {
	ID    string        `arg:"" help:"The user's id."`
	URL   URL           `name:"url" local:"" default:"http://127.0.0.1:3000" placeholder:"URL" help:"Where the HTTP API is."`
	Token Secret        `local:"" placeholder:"TOKEN" help:"A token of scope service; made from the secret if not given."`
	Wait  time.Duration `local:"" default:"10m" placeholder:"DURATION" help:"How long to wait until it is done; 0 does not wait."`

	Signing SigningConfig `embed:"" group:"Tokens:"`
	Data    DataConfig    `embed:"" group:"Data:"`
}

// Help is what `dozaar erase user --help` adds.
func (*eraseUserCmd) Help() string {
	return `It asks the HTTP API (DELETE /v1/users/{id}), prints how it goes on, and at the end what remains where and until when. While an engine or the API is away it asks again, for as long as it waits. It may be run again.`
}

// erasureReport is what the API says of an erasure.
type erasureReport struct {
	State, RequestedAt, FinishedAt string
	Conversations, Messages        int64
	Remains                        []struct{ Where, What, Until string }
}

func (c *eraseUserCmd) Run(ctx context.Context, a *app) error {
	if err := a.settings.valid(c.Data); err != nil {
		return err
	}
	id, ok := chat.ParseID(c.ID)
	if !ok {
		return &usageError{fmt.Errorf("%q is not a UUID", c.ID)}
	}
	token, err := c.token()
	if err != nil {
		return err
	}
	at, err := url.JoinPath(string(c.URL), "v1/users", id.String())
	if err != nil {
		return &usageError{fmt.Errorf("--url: %w", err)}
	}
	end := time.Now().Add(c.Wait)
	report, err := c.ask(ctx, a, http.MethodDelete, at, token, end)
	for err == nil && report.State != "done" && time.Now().Before(end) {
		fmt.Fprintf(a.stdout, "requested at %s: %d messages erased in %d conversations\n", report.RequestedAt, report.Messages, report.Conversations)
		if err := sleep(ctx, time.Second); err != nil {
			return err
		}
		report, err = c.ask(ctx, a, http.MethodGet, at+"/erasure", token, end)
	}
	if err != nil {
		return err
	}
	return report.print(a.stdout, c.Wait)
}

// laterError is a failure that may pass.
type laterError struct{ error }

// ask asks again while something is away, until end.
func (c *eraseUserCmd) ask(ctx context.Context, a *app, method, at, token string, end time.Time) (erasureReport, error) {
	for {
		report, err := askErasure(ctx, method, at, token)
		if _, later := errors.AsType[laterError](err); !later || !time.Now().Before(end) {
			return report, err
		}
		fmt.Fprintln(a.stderr, "trying again:", err)
		if err := sleep(ctx, time.Second); err != nil {
			return report, err
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (r erasureReport) print(out io.Writer, waited time.Duration) error {
	if r.State == "done" {
		fmt.Fprintf(out, "done at %s: %d messages erased in %d conversations\n", r.FinishedAt, r.Messages, r.Conversations)
	}
	fmt.Fprintln(out, "what remains:")
	if err := table(out, "WHERE\tUNTIL\tWHAT", r.Remains, func(m struct{ Where, What, Until string }) string {
		return m.Where + "\t" + m.Until + "\t" + m.What
	}); err != nil {
		return err
	}
	if r.State != "done" && waited > 0 {
		return fmt.Errorf("not done after %s; it goes on, and this may be run again to see how far it is", waited)
	}
	return nil
}

// token is the backend's: the one that was given, or one of a few minutes.
func (c *eraseUserCmd) token() (string, error) {
	if c.Token.IsSet() {
		return string(c.Token.Reveal()), nil
	}
	secret, err := (&tokenCmd{Signing: c.Signing, Data: c.Data}).secret()
	if err != nil {
		return "", err
	}
	now := time.Now()
	return auth.Mint(secret, auth.Claims{
		User: chat.User{ID: chat.NewID(), Username: "dozaar erase"}, Scope: "service", Audience: c.Signing.JWTAudience, Issuer: c.Signing.JWTIssuer,
		IssuedAt: now, ExpiresAt: now.Add(c.Wait + 5*time.Minute),
	})
}

func askErasure(ctx context.Context, method, at, token string) (report erasureReport, err error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, at, nil)
	if err != nil {
		return report, err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := http.DefaultClient.Do(req)
	if err != nil && method == http.MethodGet {
		return report, laterError{err} // it answered before: its process may be replaced
	}
	if err != nil {
		return report, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return report, err
	}
	if res.StatusCode >= 300 {
		var problem struct{ Detail string }
		err := errors.New("the HTTP API answered " + res.Status)
		if json.Unmarshal(body, &problem) == nil && problem.Detail != "" {
			err = fmt.Errorf("%w: %s", err, problem.Detail)
		}
		switch res.StatusCode {
		case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
			err = laterError{err}
		}
		return report, err
	}
	return report, json.Unmarshal(body, &report)
}
