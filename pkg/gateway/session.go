package gateway

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/dozaar/dozaar/pkg/auth"
	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/socketio"
)

// conn is what a session needs of its socket.
type conn interface {
	ID() string
	Emit(event string, args ...any) error
	Send(*socketio.Packet)
	Drain(ctx context.Context, below int) error
	Close(reason string)
}

// session is one socket of one user, from the namespace CONNECT to its end.
type session struct {
	conn  conn // set before the session is shared
	user  chat.User
	until time.Time // when the token of the CONNECT expires
	// buckets and refusals are used on the socket's reading goroutine only.
	buckets  map[string]*rate.Limiter
	refusals *rate.Limiter

	mu sync.Mutex // guards what follows
	// joined holds the rooms in which the socket is, or into which it is being replayed.
	joined map[chat.ID]*room
	// marked counts, by message, the marks of this socket whose `message:read` it must not get itself.
	marked map[chat.ID]int
	// typing holds the conversations where the socket has said that it types.
	typing map[chat.ID]typingTurn
	// untold are typing changes on their way to the relay, in order; telling: the first of them is being told.
	untold  []typingWord
	telling bool
	expiry  *time.Timer
	closed  bool

	asked map[chat.ID]struct{} // about whom the socket has asked; guarded by asking.mu
}

func (g *Gateway) newSession(id auth.Identity) *session {
	return &session{
		user:     id.User,
		until:    id.ExpiresAt,
		buckets:  map[string]*rate.Limiter{},
		refusals: rate.NewLimiter(g.Limits.Refusals.PerSecond, g.Limits.Refusals.Burst),
		joined:   map[chat.ID]*room{},
		marked:   map[chat.ID]int{},
		typing:   map[chat.ID]typingTurn{},
		asked:    map[chat.ID]struct{}{},
	}
}

// room returns the room that the socket joined.
func (s *session) room(conversation chat.ID) (*room, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.joined[conversation]; r != nil {
		return r, nil
	}
	return nil, chat.ErrNotJoined
}

// expireAt ends the session when its token ends: an exception says why, then the socket is closed.
func (s *session) expireAt(at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	if s.expiry != nil {
		s.expiry.Stop()
	}
	s.expiry = time.AfterFunc(time.Until(at), func() {
		s.except("auth:refresh", chat.ErrTokenExpired)
		s.conn.Close("token expired")
	})
}

// maxMarked bounds session.marked; past it a device may hear of its own marks, which is harmless.
const maxMarked = 1_000

func (s *session) rememberMark(message chat.ID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.marked) < maxMarked {
		s.marked[message]++
	}
}

// tookMark tells whether this very socket marked the message, and takes one such mark off.
func (s *session) tookMark(message chat.ID) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.marked[message] == 0 {
		return false
	}
	if s.marked[message]--; s.marked[message] == 0 {
		delete(s.marked, message)
	}
	return true
}

// end stops the timer and returns the rooms to leave.
func (s *session) end() map[chat.ID]*room {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	if s.expiry != nil {
		s.expiry.Stop()
	}
	joined := s.joined
	s.joined = map[chat.ID]*room{}
	return joined
}

// sessions are the sockets of this gateway, by user.
type sessions struct {
	mu     sync.Mutex // guards what follows
	byUser map[chat.ID]map[*session]struct{}
	total  int
	// admitted counts each user's sockets from when they are authenticated, which is before they are
	// added: so that many at once are not all let in for one place.
	admitted map[chat.ID]int
}

func (all *sessions) init() {
	all.byUser = map[chat.ID]map[*session]struct{}{}
	all.admitted = map[chat.ID]int{}
}

// admit takes one of the user's places, 0 being no limit; false where none is free. Connected follows in
// every case, so that remove gives it back.
func (all *sessions) admit(user chat.ID, most int) bool {
	all.mu.Lock()
	defer all.mu.Unlock()
	if most > 0 && all.admitted[user] >= most {
		return false
	}
	all.admitted[user]++
	return true
}

func (all *sessions) add(s *session) {
	all.mu.Lock()
	defer all.mu.Unlock()
	if all.byUser[s.user.ID] == nil {
		all.byUser[s.user.ID] = map[*session]struct{}{}
	}
	all.byUser[s.user.ID][s] = struct{}{}
	all.total++
}

func (all *sessions) remove(s *session) {
	all.mu.Lock()
	defer all.mu.Unlock()
	delete(all.byUser[s.user.ID], s)
	if len(all.byUser[s.user.ID]) == 0 {
		delete(all.byUser, s.user.ID)
	}
	if all.admitted[s.user.ID]--; all.admitted[s.user.ID] <= 0 {
		delete(all.admitted, s.user.ID)
	}
	all.total--
}

// of returns a user's sockets.
func (all *sessions) of(user chat.ID) []*session {
	all.mu.Lock()
	defer all.mu.Unlock()
	list := make([]*session, 0, len(all.byUser[user]))
	for s := range all.byUser[user] {
		list = append(list, s)
	}
	return list
}

func (all *sessions) count(user chat.ID) int {
	all.mu.Lock()
	defer all.mu.Unlock()
	return len(all.byUser[user])
}

func (all *sessions) size() int {
	all.mu.Lock()
	defer all.mu.Unlock()
	return all.total
}

// Authenticate checks a namespace CONNECT: the token comes in the Authorization header or as
// auth.token, never in the query string.
func (g *Gateway) Authenticate(ctx context.Context, h socketio.Handshake) (any, error) {
	id, err := g.authenticate(ctx, h)
	if err != nil {
		e := chat.AsError(err)
		g.metrics.refused.WithLabelValues(string(e.Code)).Inc()
		return nil, &socketio.Refusal{Message: e.Message, Data: refusalData{Code: e.Code, Field: e.Field}}
	}
	return g.newSession(id), nil
}

type refusalData struct {
	Code  chat.Code `json:"code"`
	Field string    `json:"field,omitempty"`
}

func (g *Gateway) authenticate(ctx context.Context, h socketio.Handshake) (auth.Identity, error) {
	token, err := handshakeToken(h)
	if err != nil {
		return auth.Identity{}, err
	}
	id, err := g.Verifier.Verify(ctx, token)
	if err != nil {
		return auth.Identity{}, err
	}
	if !g.sessions.admit(id.User.ID, g.Limits.SocketsPerUser) {
		return auth.Identity{}, chat.ErrRateLimited
	}
	return id, nil
}

// Connected begins a session.
func (g *Gateway) Connected(_ context.Context, sock *socketio.Socket) {
	g.connected(sock.User().(*session), sock)
}

func (g *Gateway) connected(s *session, c conn) {
	s.conn = c
	g.sessions.add(s)
	s.expireAt(s.until)
	g.leasing.reconcile(s.user.ID)
}

// Disconnected ends it, exactly once.
func (g *Gateway) Disconnected(sock *socketio.Socket, _ string) {
	g.disconnected(sock.User().(*session))
}

func (g *Gateway) disconnected(s *session) {
	for _, r := range s.end() {
		g.tellTyping(r, s, false)
		r.detach(s)
	}
	g.asking.forget(s)
	g.sessions.remove(s)
	g.leasing.reconcile(s.user.ID)
}
