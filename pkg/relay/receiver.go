package relay

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"
)

// Why a gateway is asked to resync.
const (
	ReasonJump        = "jump"        // a sender's count jumped: envelopes were lost or trimmed
	ReasonPause       = "pause"       // this process, or Redis, stood still: what is read now is old
	ReasonSilence     = "silence"     // a sender that promised heartbeats is not heard any more
	ReasonReconnect   = "reconnect"   // the stream can be read again after an error
	ReasonForgotten   = "forgotten"   // the registration ran out or was lost
	ReasonVanished    = "vanished"    // the stream was lost
	ReasonUndecodable = "undecodable" // an entry that this version cannot read
)

// Handler is told what arrives. Calls come one at a time, from one goroutine; what takes long must
// not be done inside, or the stream is trimmed before it is read.
type Handler interface {
	// Receive is told one envelope, in the order of the sender's Send.
	Receive(ctx context.Context, e Envelope)
	// Resync says that something may have been missed, or that Redis may not know any more what this
	// gateway registered: register again, then read again what is stored. Nothing that comes after it may be shown by
	// what was known before it.
	Resync(ctx context.Context, reason string)
	// Unheard says, again and again, that somebody who has sent is not heard now, or nobody is: what is stored meanwhile
	// may not come.
	Unheard(ctx context.Context)
	// Heard says that what was sent to this gateway until then has been handed on, or Resync told of it.
	Heard(ctx context.Context, until time.Time)
}

// ReceiverConfig makes a Receiver. Redis and Instance are required.
type ReceiverConfig struct {
	Redis    redis.UniversalClient
	Instance string // this gateway's name and boot; never used by two processes

	Block     time.Duration // how long one read waits; bounds how long Run takes to end; default 500 ms
	Register  time.Duration // between two registrations; default 1 s
	Alive     time.Duration // how long a registration counts; default 10 s
	StreamTTL time.Duration // how long the stream outlives its gateway; default 1 min
	Silence   time.Duration // default 3 s

	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// Receiver reads this gateway's stream.
type Receiver struct {
	cfg     ReceiverConfig
	stream  string
	handler Handler
	log     *slog.Logger
	metrics receiverMetrics
	ready   chan struct{}

	senders senders   // of the reading goroutine only
	at      time.Time // of the reading goroutine only; when it last got somewhere
	told    time.Time // of the reading goroutine only; when the handler was last told that somebody is unheard
	old     bool      // of the reading goroutine only; what comes may have waited since it stood still

	mu      sync.Mutex
	cursor  string   // guarded by mu; the last entry read
	rewind  bool     // guarded by mu; read from the start of the stream
	reasons []string // guarded by mu; resyncs that the registration asks for
}

// unheardEvery is how often the handler is told that somebody is not heard.
const unheardEvery = 2 * time.Second

const (
	streamStart = "0-0"
	readCount   = 256 // entries at once
)

// NewReceiver returns a receiver; nothing arrives before Run.
func NewReceiver(cfg ReceiverConfig, handler Handler) *Receiver {
	cfg.Block = cmp.Or(cfg.Block, 500*time.Millisecond)
	cfg.Register = cmp.Or(cfg.Register, time.Second)
	cfg.Alive = cmp.Or(cfg.Alive, 10*time.Second)
	cfg.StreamTTL = cmp.Or(cfg.StreamTTL, time.Minute)
	cfg.Silence = cmp.Or(cfg.Silence, 3*time.Second)
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Receiver{
		cfg:     cfg,
		stream:  streamPrefix + cfg.Instance,
		handler: handler,
		log:     cfg.Logger.With("instance", cfg.Instance),
		metrics: newReceiverMetrics(cfg.Registerer),
		ready:   make(chan struct{}),
		senders: senders{},
		cursor:  streamStart,
	}
}

// Ready is closed when the gateway is registered for the first time: from then on nothing that is
// sent to it is lost unnoticed.
func (r *Receiver) Ready() <-chan struct{} { return r.ready }

// Run registers the gateway, hands on what arrives, and takes the gateway and its stream out of Redis
// when ctx ends. While Redis is away it keeps trying; it returns nil when ctx has ended. It is called
// once.
func (r *Receiver) Run(ctx context.Context) error {
	defer r.deregister(context.WithoutCancel(ctx))
	// The stream must be there before anybody is told of it, and reading starts at its beginning:
	// nothing falls between registration and the first read.
	if !r.registerFirst(ctx) {
		return nil
	}
	close(r.ready)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return r.keepRegistered(ctx) })
	g.Go(func() error { return r.read(ctx) })
	return g.Wait()
}

// read hands on entries until ctx ends.
func (r *Receiver) read(ctx context.Context) error {
	wait := newBackOff()
	broken := false
	r.at = time.Now()
	for ctx.Err() == nil {
		began := time.Now()
		entries, err := r.next(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			if !broken {
				r.log.Warn("relay: cannot read from Redis", "error", err)
			}
			broken = true
			r.unheard(ctx)
			sleep(ctx, wait.NextBackOff())
			continue
		}
		atOnce := time.Since(began) <= r.cfg.Silence
		r.moved(ctx)
		for _, entry := range entries {
			r.take(ctx, entry)
			if r.moved(ctx) {
				atOnce = false
			}
		}
		if atOnce && len(entries) < readCount {
			r.old = false // nothing waits any more
		}
		if broken {
			broken = false
			wait.Reset()
			r.resync(ctx, ReasonReconnect)
		}
		for _, reason := range r.asked() {
			r.resync(ctx, reason)
		}
		if names := r.senders.silent(time.Now(), r.cfg.Silence); len(names) > 0 {
			r.log.Warn("relay: senders fell silent", "senders", names)
			r.resync(ctx, ReasonSilence)
		}
		if r.senders.anySilent() {
			r.unheard(ctx)
		}
		if len(entries) < readCount {
			r.handler.Heard(ctx, began)
		}
	}
	return nil
}

func (r *Receiver) unheard(ctx context.Context) {
	if now := time.Now(); now.Sub(r.told) >= unheardEvery {
		r.told = now
		r.handler.Unheard(ctx)
	}
}

// moved notes that reading goes on. Where it stood still for longer than a silence, what was waiting is old: a member may have
// been removed since it was sent. So a resync comes before it, it notifies nobody, and nobody is shown typing.
func (r *Receiver) moved(ctx context.Context) (paused bool) {
	now := time.Now()
	if paused = now.Sub(r.at) > r.cfg.Silence; paused {
		r.log.Warn("relay: reading stood still", "for", now.Sub(r.at).Round(time.Millisecond))
		r.old = true
		r.resync(ctx, ReasonPause)
	}
	r.at = now
	return paused
}

// next waits for entries after the cursor; none is no error.
func (r *Receiver) next(ctx context.Context) ([]redis.XMessage, error) {
	r.mu.Lock()
	if r.rewind {
		r.cursor, r.rewind = streamStart, false
	}
	cursor := r.cursor
	r.mu.Unlock()

	// A server that is gone without a word must not hold us for longer than this.
	ctx, cancel := context.WithTimeout(ctx, r.cfg.Block+2*time.Second)
	defer cancel()
	streams, err := r.cfg.Redis.XRead(ctx, &redis.XReadArgs{
		Streams: []string{r.stream}, ID: cursor, Count: readCount, Block: r.cfg.Block,
	}).Result()
	if errors.Is(err, redis.Nil) {
		return nil, nil
	}
	if err != nil || len(streams) == 0 {
		return nil, err
	}
	return streams[0].Messages, nil
}

// take handles one entry.
func (r *Receiver) take(ctx context.Context, m redis.XMessage) {
	defer func() {
		r.mu.Lock()
		r.cursor = m.ID
		r.mu.Unlock()
	}()
	appended, _ := splitID(m.ID) // Redis's time in milliseconds
	r.metrics.lag.Observe(max(0, time.Since(time.UnixMilli(int64(appended))).Seconds()))
	e, err := parseEntry(m.Values)
	if err != nil {
		r.log.Error("relay: an entry cannot be read", "entry", m.ID, "error", err)
		r.resync(ctx, ReasonUndecodable)
	}
	verdict := r.senders.heard(e, time.Now())
	if verdict == duplicate {
		r.metrics.duplicates.Inc()
		return
	}
	for _, envelope := range e.envelopes {
		if envelope.kinds() != 1 {
			continue // of a newer version
		}
		if r.old && envelope.Typing != nil && envelope.Typing.Typing {
			continue // whoever typed then has long stopped; that they did still comes
		}
		if r.old && envelope.Message != nil {
			envelope.Message.Notify = nil
		}
		r.metrics.received.Inc()
		r.handler.Receive(ctx, envelope)
	}
	if verdict == jump {
		r.log.Warn("relay: envelopes are missing", "sender", e.sender, "count", e.count)
		r.resync(ctx, ReasonJump)
	}
}

func (r *Receiver) resync(ctx context.Context, reason string) {
	r.metrics.resyncs.WithLabelValues(reason).Inc()
	r.handler.Resync(ctx, reason)
}

// ask makes the reading goroutine resync.
func (r *Receiver) ask(reason string, rewind bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.reasons = append(r.reasons, reason)
	r.rewind = r.rewind || rewind
}

func (r *Receiver) asked() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	reasons := r.reasons
	r.reasons = nil
	return reasons
}

func newBackOff() *backoff.ExponentialBackOff {
	b := backoff.NewExponentialBackOff()
	b.InitialInterval = 50 * time.Millisecond
	b.MaxInterval = time.Second
	b.RandomizationFactor = 0.5
	return b
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
