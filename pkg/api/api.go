package api

import (
	"context"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dozaar/dozaar/pkg/auth"
	"github.com/dozaar/dozaar/pkg/chat"
)

// Verifier tells who a token speaks for. Its errors wrap chat.ErrUnauthorized or chat.ErrTokenExpired.
type Verifier interface {
	Verify(ctx context.Context, token string) (auth.Identity, error)
}

// Conversations stores who talks. A conversation that is not there is chat.ErrNotFound.
type Conversations interface {
	// CreateConversation answers the first conversation of that key or id, and whether this call made it;
	// an id that is taken under another key is chat.ErrConflict.
	CreateConversation(ctx context.Context, c chat.Conversation) (stored chat.Conversation, created bool, err error)
	Conversation(ctx context.Context, id chat.ID) (chat.Conversation, error)
	PutMember(ctx context.Context, conversation chat.ID, m chat.Member) (chat.Conversation, error)
	RemoveMember(ctx context.Context, conversation, user chat.ID) (chat.Conversation, error)
}

// History reads what was said, never past a conversation's head.
type History interface {
	Heads(ctx context.Context, conversations []chat.ID) (map[chat.ID]chat.Head, error)
	// Messages and MessagesBefore both answer in ascending order.
	Messages(ctx context.Context, conversation chat.ID, afterSeq int64, limit int) ([]chat.Message, error)
	MessagesBefore(ctx context.Context, conversation chat.ID, beforeSeq int64, limit int) ([]chat.Message, error)
	StoredByID(ctx context.Context, ids []chat.ID) (map[chat.ID]chat.StoredID, error)
}

// Inbox lists a user's conversations, newest activity first, from just below the cursor.
type Inbox interface {
	Inbox(ctx context.Context, user chat.ID, before chat.InboxCursor, limit int) ([]chat.InboxEntry, error)
}

// Publisher returns once all in-sync replicas have what it was given, or an error that wraps
// chat.ErrUnavailable.
type Publisher interface {
	PublishMessage(ctx context.Context, m chat.Message) error
	PublishConversation(ctx context.Context, e chat.ConversationEvent) error
	PublishErasure(ctx context.Context, e chat.ErasureEvent) error
}

// Presence tells who is online, as pkg/presence's View does. A user it does not answer for is offline.
type Presence interface {
	// Visible answers those whom the asker may see.
	Visible(ctx context.Context, asker chat.ID, users []chat.ID) ([]chat.ID, error)
	// Statuses answers for all, and of those who are not visible as of ids that do not exist.
	Statuses(ctx context.Context, users, visible []chat.ID) (map[chat.ID]chat.PresenceStatus, error)
}

// Settings stores a user's own wishes.
type Settings interface {
	Settings(ctx context.Context, users []chat.ID) (map[chat.ID]chat.Settings, error)
	PutInvisible(ctx context.Context, user chat.ID, invisible bool) error
	PutMuted(ctx context.Context, user, conversation chat.ID, muted bool) error
}

// Gateways are those at which a user has devices.
type Gateways interface {
	// SettingsChanged has them read the user's settings again.
	SettingsChanged(ctx context.Context, user chat.ID) error
}

// Config is what the API works with. The interfaces are required; usually one store is three of them.
type Config struct {
	Verifier      Verifier
	Conversations Conversations
	History       History
	Inbox         Inbox
	Erasures      Erasures
	Publisher     Publisher
	Presence      Presence
	Settings      Settings
	Gateways      Gateways

	Now        func() time.Time      // nil: the wall clock
	Logger     *slog.Logger          // nil: no logs
	Registerer prometheus.Registerer // nil: no metrics; registering twice panics

	// UserRate bounds how often one user may ask; past it the answer is 429. The backend's tokens (scope
	// `service`) are not bounded.
	UserRate Rate

	// Timeout bounds one request: the engines' part, and the client's in sending its body and taking
	// the answer. 0: 15 s. It ought to be longer than the producer's own.
	Timeout time.Duration
}

const defaultTimeout = 15 * time.Second

type api struct {
	Config
	metrics metrics
	rates   *rates
}

// New returns the handler of everything under /v1. Paths that it does not know answer a problem, too.
func New(c Config) http.Handler {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	a := &api{Config: c, metrics: newMetrics(c.Registerer), rates: newRates(c.UserRate)}
	return a.guard(a.routes())
}

// handle answers one request of somebody who showed a token.
type handle func(r *http.Request, who auth.Identity) (answer, error)

// answer is what a request that went well gets. A nil body is none.
type answer struct {
	status int
	body   any
}

// routes is the API's table of contents. Methods that a path does not have answer 405, and all other
// paths 404, as problems.
func (a *api) routes() *http.ServeMux {
	mux := http.NewServeMux()
	allowed := map[string][]string{}
	for _, route := range []struct {
		method, path string
		handle       handle
	}{
		{http.MethodGet, "/v1/conversations", a.inbox},
		{http.MethodPost, "/v1/conversations", service(a.createConversation)},
		{http.MethodGet, "/v1/conversations/{id}", a.getConversation},
		{http.MethodPut, "/v1/conversations/{id}/members/{userId}", service(a.putMember)},
		{http.MethodDelete, "/v1/conversations/{id}/members/{userId}", service(a.removeMember)},
		{http.MethodGet, "/v1/conversations/{id}/messages", a.messages},
		{http.MethodPost, "/v1/conversations/{id}/messages", a.sendMessage},
		{http.MethodGet, "/v1/presence", a.presence},
		{http.MethodGet, "/v1/settings", a.settings},
		{http.MethodPut, "/v1/settings/invisible", a.setInvisible(true)},
		{http.MethodDelete, "/v1/settings/invisible", a.setInvisible(false)},
		{http.MethodPut, "/v1/settings/muted/{id}", a.mute},
		{http.MethodDelete, "/v1/settings/muted/{id}", a.unmute},
		{http.MethodDelete, "/v1/users/{userId}", service(a.erase)},
		{http.MethodGet, "/v1/users/{userId}/erasure", service(a.erasure)},
	} {
		mux.Handle(route.method+" "+route.path, a.authenticated(route.handle))
		allowed[route.path] = append(allowed[route.path], route.method)
	}
	for path, methods := range allowed {
		mux.Handle(path, a.methodNotAllowed(strings.Join(methods, ", ")))
	}
	mux.Handle("/", a.unknownPath())
	return mux
}
