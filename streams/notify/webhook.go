package notify

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/kafka"
	"github.com/dozaar/dozaar/schemas"
)

// DeadLetters takes a record that could not be posted; nil means that Kafka has it.
type DeadLetters interface {
	DeadLetter(ctx context.Context, record kafka.Record, why error) error
}

// A NotificationDecoder reads values. schemas.ErrPoison says that the bytes are to blame.
type NotificationDecoder interface {
	DecodeNotification(value []byte) (chat.Notification, error)
}

// WebhookConfig is what Webhook needs. What has a value beside it has that default.
type WebhookConfig struct {
	URL         string // where to post; http or https
	Secret      []byte // signs each post; see Sign
	DeadLetters DeadLetters
	Decoder     NotificationDecoder

	Timeout  time.Duration // of one attempt: 10 s
	Patience time.Duration // of all attempts together: 1 min
	MaxAge   time.Duration // past this a notification is passed over: 1 h

	Clock      func() time.Time      // time.Now
	Logger     *slog.Logger          // nil: nothing is logged
	Registerer prometheus.Registerer // nil: metrics are counted and not exported
}

// Webhook posts notifications to the marketplace, as webhooks of the Standard Webhooks specification, so that any library
// for it can verify them. A status of 200 to 299 takes one; 408, 425, 429 and those of 500 on, and no answer, are tried again, with
// jitter, and not before a Retry-After; anything else, and patience that has ended, puts it into the dead letters. No
// redirect is followed: it would take the notification where nobody wanted it.
type Webhook struct {
	cfg     WebhookConfig
	client  *http.Client
	metrics *webhookMetrics
}

// At once, of one partition: so many posts, and so many notifications that are posted or wait to be tried again. Where that many
// fail it is the marketplace that is away, and the others wait in Kafka rather than end in the dead letters.
const (
	postsAtOnce = 64
	triesAtOnce = 256
)

// NewWebhook returns one.
func NewWebhook(cfg WebhookConfig) *Webhook {
	cfg.Timeout = cmp.Or(cfg.Timeout, 10*time.Second)
	cfg.Patience = cmp.Or(cfg.Patience, time.Minute)
	cfg.MaxAge = cmp.Or(cfg.MaxAge, time.Hour)
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = postsAtOnce
	return &Webhook{cfg: cfg, metrics: newWebhookMetrics(cfg.Registerer), client: &http.Client{
		Timeout: cfg.Timeout, Transport: transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Topics are what its workers read.
func (*Webhook) Topics() []string { return []string{schemas.TopicNotifications} }

// Worker is the worker of one assignment of a partition of chat.notifications.
func (w *Webhook) Worker(string, int32) kafka.Worker {
	return webhookWorker{w, make(chan struct{}, postsAtOnce)}
}

// webhookWorker deals with notifications beside each other, so that one that fails holds up none of other users.
type webhookWorker struct {
	*Webhook
	posting chan struct{} // has room for the posts at once
}

// Run implements kafka.Worker.
func (w webhookWorker) Run(ctx context.Context, from kafka.Records) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(triesAtOnce)
	for {
		records, err := from.Take(ctx)
		if err != nil {
			_ = group.Wait()
			return err
		}
		for _, r := range records {
			group.Go(func() error {
				err := w.one(ctx, r)
				if err == nil {
					from.Done(r.Position)
				}
				return err
			})
		}
	}
}

// Close ends idle connections.
func (w *Webhook) Close() { w.client.CloseIdleConnections() }

// one posts a record's notification. It fails only when ctx has ended.
func (w webhookWorker) one(ctx context.Context, r kafka.Record) error {
	var n chat.Notification
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		var err error
		if n, err = w.cfg.Decoder.DecodeNotification(r.Value); errors.Is(err, schemas.ErrPoison) {
			err = backoff.Permanent(err)
		}
		return struct{}{}, err
	}, backoff.WithMaxElapsedTime(0))
	if err != nil {
		return w.bury(ctx, r, err)
	}
	if w.cfg.Clock().Sub(n.At) > w.cfg.MaxAge {
		w.metrics.posts.WithLabelValues("late").Inc()
		return nil
	}
	body, err := json.Marshal(payloadOf(n))
	if err != nil {
		return w.bury(ctx, r, err)
	}
	_, err = backoff.Retry(ctx, func() (struct{}, error) {
		return struct{}{}, w.postInTurn(ctx, n.ID, body)
	}, backoff.WithMaxElapsedTime(w.cfg.Patience))
	if err != nil {
		return w.bury(ctx, r, fmt.Errorf("webhook: %w", err))
	}
	w.metrics.posts.WithLabelValues("taken").Inc()
	return nil
}

// postInTurn is one attempt, when there is room for it.
func (w webhookWorker) postInTurn(ctx context.Context, id chat.ID, body []byte) error {
	select {
	case w.posting <- struct{}{}:
		defer func() { <-w.posting }()
		return w.post(ctx, id, body)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// bury returns when the dead letters have the record. A worker that is stopped buries nothing.
func (w *Webhook) bury(ctx context.Context, r kafka.Record, why error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		return struct{}{}, w.cfg.DeadLetters.DeadLetter(ctx, r, why)
	}, backoff.WithMaxElapsedTime(0))
	if err == nil {
		w.metrics.posts.WithLabelValues("dead").Inc()
	}
	return err
}

// longestRetryAfter is more than anybody's patience, and little enough to be a duration.
const longestRetryAfter = 1_000_000

// post is one attempt. backoff.Permanent where no other one helps.
func (w *Webhook) post(ctx context.Context, id chat.ID, body []byte) error {
	began := time.Now()
	defer func() { w.metrics.seconds.Observe(time.Since(began).Seconds()) }()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, w.cfg.URL, bytes.NewReader(body))
	if err != nil {
		return backoff.Permanent(err)
	}
	at := w.cfg.Clock()
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "Dozaar")
	request.Header.Set("webhook-id", id.String())
	request.Header.Set("webhook-timestamp", strconv.FormatInt(at.Unix(), 10))
	request.Header.Set("webhook-signature", Sign(w.cfg.Secret, id.String(), at, body))
	answer, err := w.client.Do(request)
	if failed, ok := errors.AsType[*url.Error](err); ok {
		return failed.Err // without the address, which may hold a key: the reason is logged, and goes with the dead letter
	}
	defer answer.Body.Close()
	status := answer.StatusCode
	if status < 200 { // 101: what comes then is another protocol's, and nobody ends it
		return backoff.Permanent(fmt.Errorf("answered %s", answer.Status))
	}
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, 64<<10)) // so that the connection can be used again
	switch {
	case status < 300:
		return nil
	case status == http.StatusRequestTimeout || status == http.StatusTooEarly || status == http.StatusTooManyRequests || status >= 500:
		err := fmt.Errorf("answered %s", answer.Status)
		if after := w.retryAfter(answer.Header.Get("Retry-After")); after > 0 {
			return errors.Join(err, &backoff.RetryAfterError{Duration: after + rand.N(after/4+1)}) // not all of them at the same moment
		}
		return err
	default:
		return backoff.Permanent(fmt.Errorf("answered %s", answer.Status))
	}
}

// retryAfter is how long a Retry-After asks to wait: so many seconds, or until a date.
func (w *Webhook) retryAfter(header string) time.Duration {
	if seconds, err := strconv.Atoi(header); err == nil {
		return time.Duration(min(seconds, longestRetryAfter)) * time.Second
	}
	if at, err := http.ParseTime(header); err == nil {
		return min(at.Sub(w.cfg.Clock()), longestRetryAfter*time.Second)
	}
	return 0
}
