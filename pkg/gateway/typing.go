package gateway

import (
	"context"
	"encoding/json"
	"maps"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/relay"
)

// typingThrottle is how often one socket's `typing:start` goes out: more tell nobody anything new. Who stops in between
// and starts again is told of at once, typingBurst times in a row.
const (
	typingThrottle = time.Second
	typingBurst    = 5
)

// typingTime bounds the telling; it is worth nothing later.
const typingTime = 2 * time.Second

// typed is the contract's `user:typing` and `user:stopped_typing`.
type typed struct {
	ConversationID chat.ID `json:"conversationId"`
	UserID         chat.ID `json:"userId"`
}

func (g *Gateway) typingStart(ctx context.Context, s *session, payload json.RawMessage) (any, error) {
	return g.typing(ctx, s, payload, true)
}

func (g *Gateway) typingStop(ctx context.Context, s *session, payload json.RawMessage) (any, error) {
	return g.typing(ctx, s, payload, false)
}

func (g *Gateway) typing(ctx context.Context, s *session, payload json.RawMessage, typing bool) (any, error) {
	conversation, err := decodeConversation(payload)
	if err != nil {
		return nil, err
	}
	r, err := s.room(conversation)
	if err != nil {
		return nil, err
	}
	if err := g.checkMember(ctx, r, s.user.ID); err != nil {
		return nil, err
	}
	// Who is invisible is shown as offline, and nobody who is offline types.
	g.tellTyping(r, s, typing && g.wishes.visibility(s.user.ID) != chat.Invisible)
	return done, nil
}

// tellTyping relays a change to every gateway with sockets in the room: by relay alone, never to
// Kafka or the store. It neither waits nor fails; a word that is lost ends at the receiver's timer.
func (g *Gateway) tellTyping(r *room, s *session, typing bool) {
	if !s.turnTyping(r.id, typing) || !typing && g.typesElsewhere(r.id, s) {
		return
	}
	if s.queueTyping(typingWord{relay.Typing{ConversationID: r.id, UserID: s.user.ID, Typing: typing}, time.Now()}) {
		g.spawn(func() {
			for t, more := s.nextTyping(); more; t, more = s.nextTyping() {
				ctx, cancel := context.WithTimeout(g.base, typingTime)
				if t.stale(g.TypingTTL) || g.relayTyping(ctx, t.Typing) != nil {
					g.metrics.typingLost.Inc()
				}
				cancel()
			}
		})
	}
}

// typingWord is what a socket said of its typing, and when.
type typingWord struct {
	relay.Typing
	said time.Time
}

// stale tells whether it has waited until it is worth nothing: that somebody types soon is no longer so, and that they do not
// is by then known to every receiver's timer.
func (t typingWord) stale(ttl time.Duration) bool {
	waited := time.Since(t.said)
	return t.Typing.Typing && waited > typingTime || waited > ttl
}

// typesElsewhere tells whether another device of the user types in the same conversation.
func (g *Gateway) typesElsewhere(conversation chat.ID, but *session) bool {
	for _, s := range g.sessions.of(but.user.ID) {
		if s != but && s.types(conversation, g.TypingTTL) {
			return true
		}
	}
	return false
}

func (g *Gateway) relayTyping(ctx context.Context, t relay.Typing) error {
	_, owners, err := g.Directory.Owners(ctx, nil, []chat.ID{t.ConversationID})
	if err != nil {
		return err
	}
	var envelopes []relay.Addressed
	for _, gateway := range owners[t.ConversationID] {
		envelopes = append(envelopes, relay.Addressed{Gateway: gateway, Envelope: relay.Envelope{Typing: &t}})
	}
	return g.Relay.Send(ctx, envelopes)
}

// typingTurn is what a socket said of its typing in a conversation.
type typingTurn struct {
	since time.Time // when others were last told that it types; zero: it does not
	next  time.Time // when they may be told again, but for the burst
}

// turnTyping notes what the socket says and tells whether others must hear it.
func (s *session) turnTyping(conversation chat.ID, typing bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	t, now := s.typing[conversation], time.Now()
	was := !t.since.IsZero()
	if !typing {
		t.since = time.Time{}
		s.typing[conversation] = t
		maps.DeleteFunc(s.typing, func(_ chat.ID, t typingTurn) bool { return t.since.IsZero() && !t.next.After(now) })
		return was
	}
	if was && now.Sub(t.since) < typingThrottle || t.next.Sub(now) > (typingBurst-1)*typingThrottle {
		return false
	}
	if t.next.Before(now) {
		t.next = now
	}
	s.typing[conversation] = typingTurn{now, t.next.Add(typingThrottle)}
	return true
}

// types tells whether the socket said so within the TTL.
func (s *session) types(conversation chat.ID, ttl time.Duration) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	since := s.typing[conversation].since
	return !since.IsZero() && time.Since(since) < ttl
}

// queueTyping puts a word behind those that are to be told, in their order. It is true for the first, with
// which somebody has to start telling.
func (s *session) queueTyping(t typingWord) (first bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.untold = append(s.untold, t)
	return len(s.untold) == 1
}

// nextTyping takes off the word that was just told, if any, and returns the next.
func (s *session) nextTyping() (t typingWord, more bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.telling {
		s.untold = s.untold[1:]
	}
	s.telling = len(s.untold) > 0
	if !s.telling {
		s.untold = nil
		return t, false
	}
	return s.untold[0], true
}

func (s *session) forgetTyping(conversation chat.ID) { s.turnTyping(conversation, false) }

// receiveTyping shows it to the room. It ends here after the TTL, whatever became of the sender's gateway.
func (g *Gateway) receiveTyping(t *relay.Typing) {
	r := g.rooms.get(t.ConversationID)
	if r == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !t.Typing {
		r.stopped(t.UserID)
		return
	}
	if r.closing || !r.members[t.UserID] {
		return
	}
	if old := r.typing[t.UserID]; old != nil {
		old.Stop()
	}
	var timer *time.Timer
	timer = time.AfterFunc(g.TypingTTL, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.typing[t.UserID] == timer {
			r.stopped(t.UserID)
		}
	})
	r.typing[t.UserID] = timer
	r.broadcast("user:typing", typed{r.id, t.UserID}, t.UserID)
}

// stopped ends somebody's typing, if they were. r.mu is held.
func (r *room) stopped(user chat.ID) {
	timer := r.typing[user]
	if timer == nil {
		return
	}
	timer.Stop()
	delete(r.typing, user)
	r.broadcast("user:stopped_typing", typed{r.id, user}, user)
}
