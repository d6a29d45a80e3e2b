package presence

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/metric"
	"github.com/dozaar/dozaar/pkg/relay"
)

// Peers finds who shares a conversation with a user, most recent first.
type Peers interface {
	Peers(ctx context.Context, user chat.ID, limit int) ([]chat.ID, error)
}

// Directory finds the gateways where a user's peers are, and where somebody has asked about the user, knows the version of the
// user's last change, and is told what was announced.
type Directory interface {
	Listeners(ctx context.Context, user chat.ID, peers []chat.ID) (byPeer map[chat.ID][]string, asking []string, err error)
	Newest(ctx context.Context, user chat.ID) (version int64, err error)
	Told(ctx context.Context, change chat.PresenceChange) error
}

// Relay carries envelopes to gateways.
type Relay interface {
	Send(ctx context.Context, envelopes []relay.Addressed) error
}

// Publisher puts a change into Kafka. It returns once all in-sync replicas have it, or with an error.
type Publisher interface {
	PublishPresence(ctx context.Context, change chat.PresenceChange) error
}

// Config makes an Announcer. Peers, Directory, Relay and Publisher are required.
type Config struct {
	Peers     Peers
	Directory Directory
	Relay     Relay
	Publisher Publisher
	Off       bool // nobody is told of anything: changes are confirmed, and that is all

	MaxPeers int           // people told of one change, most recent first; required
	Workers  int           // default 4
	Queue    int           // changes that wait, per worker; default 1,024
	Timeout  time.Duration // of one announcement, retries included; default 5 s

	Logger     *slog.Logger
	Registerer prometheus.Registerer
}

// Announcer tells changes of presence. Its methods may be called at the same time.
type Announcer struct {
	cfg    Config
	log    *slog.Logger
	record *record
	queues []chan chat.PresenceChange // one per worker; a user's changes go to one of them, in order
	total  *prometheus.CounterVec
}

// NewAnnouncer returns an announcer; Run works off its queue.
func NewAnnouncer(cfg Config) *Announcer {
	cfg.Workers = cmp.Or(cfg.Workers, 4)
	cfg.Queue = cmp.Or(cfg.Queue, 1024)
	cfg.Timeout = cmp.Or(cfg.Timeout, 5*time.Second)
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	a := &Announcer{cfg: cfg, log: cfg.Logger, total: newTotal(cfg.Registerer), record: newRecord(cfg)}
	for range cfg.Workers {
		a.queues = append(a.queues, make(chan chat.PresenceChange, cfg.Queue))
	}
	return a
}

// Announce queues a change and never blocks. What finds the queue full is left to the sweeper, which
// brings up again what nobody confirms.
func (a *Announcer) Announce(_ context.Context, change chat.PresenceChange) {
	select {
	case a.queue(change.UserID) <- change:
	default:
		a.total.WithLabelValues(state(change), "dropped").Inc()
	}
}

// Enqueue queues a change, and waits for room in the queue until ctx ends.
func (a *Announcer) Enqueue(ctx context.Context, change chat.PresenceChange) error {
	select {
	case a.queue(change.UserID) <- change:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (a *Announcer) queue(user chat.ID) chan chat.PresenceChange {
	return a.queues[binary.BigEndian.Uint32(user[12:])%uint32(len(a.queues))]
}

// Run announces what is queued until ctx ends. What is still queued then stays unconfirmed. What was told is put into Kafka
// beside it.
func (a *Announcer) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return a.record.run(ctx) })
	for _, queue := range a.queues {
		g.Go(func() error {
			for {
				select {
				case <-ctx.Done():
					return nil
				case change := <-queue:
					a.announce(ctx, change)
				}
			}
		})
	}
	return g.Wait()
}

// announce tells one change, and confirms it.
func (a *Announcer) announce(ctx context.Context, change chat.PresenceChange) {
	ctx, cancel := context.WithTimeout(ctx, a.cfg.Timeout)
	defer cancel()
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		return struct{}{}, a.tell(ctx, change)
	}, backoff.WithMaxTries(3))
	if err == nil {
		a.total.WithLabelValues(state(change), "told").Inc()
		if !a.cfg.Off {
			a.record.add(change)
		}
		return
	}
	a.total.WithLabelValues(state(change), "failed").Inc()
	if !errors.Is(err, context.Canceled) {
		a.log.Warn("presence: a change could not be announced", "state", state(change), "error", err)
	}
}

// tell sends one change to the gateways of the user's peers and of those who asked.
func (a *Announcer) tell(ctx context.Context, change chat.PresenceChange) error {
	if a.cfg.Off {
		return a.cfg.Directory.Told(ctx, change)
	}
	peers, err := a.cfg.Peers.Peers(ctx, change.UserID, a.cfg.MaxPeers)
	if err != nil {
		return fmt.Errorf("find peers: %w", err)
	}
	peers = slices.DeleteFunc(peers, func(p chat.ID) bool { return p == change.UserID })
	peers = peers[:min(len(peers), a.cfg.MaxPeers)]
	byPeer, asking, err := a.cfg.Directory.Listeners(ctx, change.UserID, peers)
	if err != nil {
		return fmt.Errorf("find gateways: %w", err)
	}
	// A later change may have been told while this one waited, and a gateway whose people came since would believe this.
	newest, err := a.cfg.Directory.Newest(ctx, change.UserID)
	if err != nil {
		return fmt.Errorf("look whether it still holds: %w", err)
	}
	if newest > change.Version {
		return nil
	}
	if envelopes := address(change, peers, byPeer, asking); len(envelopes) > 0 {
		if err := a.cfg.Relay.Send(ctx, envelopes); err != nil {
			return fmt.Errorf("send: %w", err)
		}
	}
	return a.cfg.Directory.Told(ctx, change)
}

// address makes one envelope per gateway, for those of the peers that are there, most recent first, and for those
// who asked there.
func address(change chat.PresenceChange, peers []chat.ID, owners map[chat.ID][]string, asking []string) []relay.Addressed {
	at := map[string]*relay.Presence{}
	var envelopes []relay.Addressed
	to := func(gateway string) *relay.Presence {
		if at[gateway] == nil {
			at[gateway] = &relay.Presence{Change: change}
			envelopes = append(envelopes, relay.Addressed{Gateway: gateway, Envelope: relay.Envelope{Presence: at[gateway]}})
		}
		return at[gateway]
	}
	for _, peer := range peers {
		for _, gateway := range owners[peer] {
			p := to(gateway)
			p.To = append(p.To, peer)
		}
	}
	for _, gateway := range asking {
		to(gateway).Asked = true
	}
	return envelopes
}

func state(change chat.PresenceChange) string {
	if change.Online {
		return "online"
	}
	return "offline"
}

func newTotal(reg prometheus.Registerer) *prometheus.CounterVec {
	return metric.Registered(reg, prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "dozaar_presence_announcements_total",
		Help: "Changes of presence, by state (online, offline) and result: told, failed, dropped (the queue was full).",
	}, []string{"state", "result"}))
}
