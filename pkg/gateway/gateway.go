package gateway

import (
	"context"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/semaphore"

	"github.com/dozaar/dozaar/pkg/auth"
	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/relay"
)

// Namespace is the Socket.IO namespace of the contract.
const Namespace = "/chat"

// A Verifier tells who a token belongs to.
type Verifier interface {
	Verify(ctx context.Context, token string) (auth.Identity, error)
}

// A Store answers what is stored. Nothing past a conversation's head is ever returned by Messages.
type Store interface {
	Conversation(ctx context.Context, id chat.ID) (chat.Conversation, error)
	Revisions(ctx context.Context, ids []chat.ID) (map[chat.ID]int64, error)
	Heads(ctx context.Context, ids []chat.ID) (map[chat.ID]chat.Head, error)
	Messages(ctx context.Context, conversation chat.ID, afterSeq int64, limit int) ([]chat.Message, error)
	StoredByID(ctx context.Context, ids []chat.ID) (map[chat.ID]chat.StoredID, error)
	ReadSeqs(ctx context.Context, conversation chat.ID, users []chat.ID) (map[chat.ID]int64, error)
	Settings(ctx context.Context, users []chat.ID) (map[chat.ID]chat.Settings, error)
}

// A Publisher returns once Kafka has the record on all in-sync replicas, or with an error.
type Publisher interface {
	PublishMessage(ctx context.Context, m chat.Message) error
	PublishReceipt(ctx context.Context, r chat.Receipt) error
}

// Leases say, to the whole cluster, which users and rooms this gateway has sockets of.
type Leases interface {
	Connect(ctx context.Context, arrivals ...chat.Arrival) ([]chat.PresenceChange, error)
	Disconnect(ctx context.Context, users ...chat.ID) error
	OpenRoom(ctx context.Context, conversation chat.ID) error
	CloseRoom(ctx context.Context, conversation chat.ID) error
	Reassert(ctx context.Context) error
}

// A Directory answers from those leases.
type Directory interface {
	Owners(ctx context.Context, users, conversations []chat.ID) (byUser, byConversation map[chat.ID][]string, err error)
}

// A Hider hides a user at once, whatever gateways they have been at.
type Hider interface {
	Hide(ctx context.Context, user chat.ID) error
}

// A View answers what a user may see of others.
type View interface {
	// Visible answers those whom the asker may see.
	Visible(ctx context.Context, asker chat.ID, users []chat.ID) ([]chat.ID, error)
	// Forget has Visible look anew at what an asker may see.
	Forget(asker chat.ID)
	// Statuses answers for all, and of those who are not visible as of ids that do not exist.
	Statuses(ctx context.Context, users, visible []chat.ID) (map[chat.ID]chat.PresenceStatus, error)
	// Asked has this gateway be told of changes of the users for so long.
	Asked(ctx context.Context, gateway string, users []chat.ID, lasting time.Duration) error
	// Missed has announced what became of users since the gateway was told of them last, and answers those of whom
	// nothing can be said yet, also with an error.
	Missed(ctx context.Context, told []chat.PresenceChange) (unknown []chat.PresenceChange, err error)
}

// A Relay carries envelopes to gateways, this one included.
type Relay interface {
	Send(ctx context.Context, envelopes []relay.Addressed) error
}

// An Announcer tells those concerned that a user came online. It does not block.
type Announcer interface {
	Announce(ctx context.Context, change chat.PresenceChange)
}

// Config is what a gateway needs. Every field is required unless it says otherwise.
type Config struct {
	Instance   string // this gateway's name in the leases
	Verifier   Verifier
	Store      Store
	Publisher  Publisher
	Leases     Leases
	Directory  Directory
	View       View
	Hider      Hider
	Relay      Relay
	Announcer  Announcer
	Limits     Limits
	TypingTTL  time.Duration // 10 s by the contract
	Logger     *slog.Logger
	Registerer prometheus.Registerer
	Tracer     trace.Tracer // nil: nothing is traced
}

// Gateway serves the sockets of one process. It is the handler of the namespace and of the relay.
type Gateway struct {
	Config
	log      *slog.Logger
	metrics  *metrics
	sessions sessions
	rooms    rooms
	absence  absence // of the store
	heard    heard
	leasing  *leasing
	wishes   *wishes             // settings of users who are here
	asking   *asking             // who has asked about whom
	notified *rising             // seqs, by conversation
	shown    *shown              // who was told to be online or offline
	fills    *semaphore.Weighted // bounds the rooms that read the store at once
	turns    *turns
	resyncs  chan struct{}
	unheard  chan struct{}
	rechecks chan struct{}
	spawner

	base    context.Context // ends with Run; what outlives one socket's event runs under it
	endBase context.CancelFunc
}

// maxFills bounds how many rooms read from the store at once.
const maxFills = 64

// New builds a gateway. It does nothing until Run.
func New(cfg Config) *Gateway {
	base, endBase := context.WithCancel(context.Background())
	g := &Gateway{
		Config:   cfg,
		log:      cfg.Logger.With("component", "gateway"),
		metrics:  newMetrics(cfg.Registerer),
		fills:    semaphore.NewWeighted(maxFills),
		turns:    newTurns(max(1, cfg.Limits.JoinsAtOnce)),
		resyncs:  make(chan struct{}, 1),
		unheard:  make(chan struct{}, 1),
		rechecks: make(chan struct{}, 1),
		base:     base,
		endBase:  endBase,
	}
	g.sessions.init()
	g.rooms.init()
	g.absence.init()
	g.leasing = newLeasing(g)
	g.wishes = newWishes()
	g.asking = newAsking()
	g.notified = newRising(notifiedConversations)
	g.shown = newShown()
	g.metrics.observe(cfg.Registerer, g)
	return g
}

// Run keeps the leases of connected users, closes idle rooms, and heals what trouble with the relay has left until ctx ends. It then
// gives up the leases of those who left. Close the sockets first.
func (g *Gateway) Run(ctx context.Context) error {
	defer g.stop()
	defer g.endBase()
	tasks, ctx := errgroup.WithContext(ctx)
	tasks.Go(func() error { return g.leasing.run(ctx) })
	tasks.Go(func() error { return g.closeIdleRooms(ctx) })
	tasks.Go(func() error { return g.heal(ctx) })
	tasks.Go(func() error { return g.recheck(ctx) })
	return tasks.Wait()
}
