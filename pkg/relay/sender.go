package relay

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"github.com/dozaar/dozaar/pkg/chat"
)

// Names in Redis. See the package comment.
const (
	streamPrefix = "relay:"
	gatewaysKey  = "gateways"

	fieldSender   = "s" // who sends
	fieldIdentity = "b" // of the count: new with every boot, and when counting starts again
	fieldCount    = "n" // envelopes to this gateway so far, this entry's included
	fieldBatch    = "d" // the envelopes; absent in a heartbeat
	fieldGoodbye  = "z" // the sender stops: its silence means nothing
)

// SenderConfig makes a Sender. Redis and Name are required.
type SenderConfig struct {
	Redis redis.UniversalClient
	Name  string // who sends, for logs: "deliver-3"

	// Ephemeral is for what is not worth a resync when lost, such as typing: entries are not counted
	// and there is no heartbeat.
	Ephemeral bool

	Heartbeat  time.Duration // default 1 s
	MaxEntries int64         // a stream is trimmed to about so many; default 10,000
	Timeout    time.Duration // of one append; default 3 s

	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// Sender appends envelopes to gateways' streams. Its methods may be called at the same time.
type Sender struct {
	cfg     SenderConfig
	boot    string
	log     *slog.Logger
	metrics senderMetrics

	// turn is held by whoever appends, so that entries stand in a stream in the order of their counts.
	// Taken before mu.
	turn   chan struct{}
	counts map[string]*count // guarded by turn; by gateway
	serial int               // guarded by turn; makes identities unique
	lost   bool              // guarded by turn; whoever is met from now on may have missed something, too

	mu      sync.Mutex
	waiting *round // guarded by mu; what the next holder of the turn appends
}

// count is what one gateway was sent.
type count struct {
	identity string
	n        int64
	used     time.Time // the last time the gateway was live or was sent something
}

// round is everything that waits for the next append, of however many callers: the longer an append
// takes, the larger the batch that follows it.
type round struct {
	batches map[string][][]byte
	failed  map[string]error // by gateway; to be read after done
	done    chan struct{}
}

// NewSender returns a sender. One that is not Ephemeral needs its Run to be running.
func NewSender(cfg SenderConfig) *Sender {
	cfg.Heartbeat = cmp.Or(cfg.Heartbeat, time.Second)
	cfg.MaxEntries = cmp.Or(cfg.MaxEntries, 10_000)
	cfg.Timeout = cmp.Or(cfg.Timeout, 3*time.Second)
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Sender{
		cfg:     cfg,
		boot:    chat.NewID().String(),
		log:     cfg.Logger.With("sender", cfg.Name),
		metrics: newSenderMetrics(cfg.Registerer),
		turn:    make(chan struct{}, 1),
		counts:  map[string]*count{},
	}
}

// Send appends the envelopes, in order, to the streams of their gateways, and returns when Redis has
// answered for all of them: one entry per gateway. An error (chat.ErrUnavailable) says that some
// gateway was not reached; it will notice by the count. A gateway that is gone is no error. When ctx
// ends first, the envelopes may or may not arrive.
func (s *Sender) Send(ctx context.Context, envelopes []Addressed) error {
	if len(envelopes) == 0 {
		return nil
	}
	batches := map[string][][]byte{}
	for _, a := range envelopes {
		b, err := encode(a.Envelope)
		if err != nil {
			return err
		}
		batches[a.Gateway] = append(batches[a.Gateway], b)
	}
	mine := s.join(batches)
	select {
	case s.turn <- struct{}{}:
		s.flush(ctx)
		<-s.turn
	case <-mine.done:
	case <-ctx.Done():
		return ctx.Err()
	}
	for gateway := range batches {
		if err := mine.failed[gateway]; err != nil {
			return fmt.Errorf("relay: append for gateway %s: %w: %w", gateway, chat.ErrUnavailable, err)
		}
	}
	return nil
}

// Lost makes every gateway's count jump, as if an envelope to each had been lost: for a caller that
// could not even find out to whom to send. They notice with the next entry or heartbeat. So does a gateway that is met
// later: it may have started while nobody could be reached.
func (s *Sender) Lost() {
	s.turn <- struct{}{}
	defer func() { <-s.turn }()
	s.lost = true
	for _, c := range s.counts {
		c.n++
	}
}

// join adds batches to what waits.
func (s *Sender) join(batches map[string][][]byte) *round {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting == nil {
		s.waiting = &round{batches: map[string][][]byte{}, failed: map[string]error{}, done: make(chan struct{})}
	}
	for gateway, b := range batches {
		s.waiting.batches[gateway] = append(s.waiting.batches[gateway], b...)
	}
	return s.waiting
}

// flush appends what waits, for all who wait. The caller holds the turn; whoever it serves may have
// more patience than it has, so only its values are taken from ctx.
func (s *Sender) flush(ctx context.Context) {
	s.mu.Lock()
	r := s.waiting
	s.waiting = nil
	s.mu.Unlock()
	if r == nil {
		return // another caller's turn has served everybody
	}
	defer close(r.done)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.Timeout)
	defer cancel()

	pipe := s.cfg.Redis.Pipeline()
	var sent []appended
	for gateway, batch := range r.batches {
		for part := range parts(batch) {
			sent = append(sent, appended{gateway, len(part), pipe.XAdd(ctx, s.entry(gateway, part))})
		}
	}
	_, _ = pipe.Exec(ctx) // each command has its own error
	for _, a := range sent {
		switch err := a.cmd.Err(); {
		case err == nil:
			s.metrics.sent.WithLabelValues("ok").Add(float64(a.envelopes))
		case errors.Is(err, redis.Nil):
			s.metrics.sent.WithLabelValues("gone").Add(float64(a.envelopes))
			s.log.Debug("relay: gateway is gone", "gateway", a.gateway, "envelopes", a.envelopes)
		default:
			s.metrics.sent.WithLabelValues("failed").Add(float64(a.envelopes))
			r.failed[a.gateway] = err
		}
	}
}

type appended struct {
	gateway   string
	envelopes int
	cmd       *redis.StringCmd
}

// maxEntryBytes bounds one stream entry, unless a single envelope is larger.
const maxEntryBytes = 512 << 10

// parts cuts a batch into entries of bounded size, in order.
func parts(batch [][]byte) func(yield func([][]byte) bool) {
	return func(yield func([][]byte) bool) {
		for start := 0; start < len(batch); {
			end, size := start, 0
			for end < len(batch) && (end == start || size+len(batch[end]) <= maxEntryBytes) {
				size += len(batch[end])
				end++
			}
			if !yield(batch[start:end]) {
				return
			}
			start = end
		}
	}
}

// entry makes the next entry for a gateway and counts it. The caller holds the turn.
func (s *Sender) entry(gateway string, batch [][]byte) *redis.XAddArgs {
	values := []string{fieldSender, s.cfg.Name}
	if !s.cfg.Ephemeral {
		c := s.count(gateway)
		c.n += int64(len(batch))
		values = append(values, fieldIdentity, c.identity, fieldCount, fmt.Sprint(c.n))
	}
	if len(batch) > 0 {
		values = append(values, fieldBatch, string(join(batch)))
	}
	return &redis.XAddArgs{
		Stream: streamPrefix + gateway, NoMkStream: true, MaxLen: s.cfg.MaxEntries, Approx: true, Values: values,
	}
}

// count finds or starts the count for a gateway. The caller holds the turn.
func (s *Sender) count(gateway string) *count {
	c := s.counts[gateway]
	if c == nil {
		s.serial++
		c = &count{identity: fmt.Sprintf("%s.%d", s.boot, s.serial)}
		if s.lost {
			c.n = 1
		}
		s.counts[gateway] = c
	}
	c.used = time.Now()
	return c
}
