// Package standin is a chat in memory that keeps what the contract says of messages, and costs little: the generator is
// measured and tested against it, so that what it finds is its own. It stores nothing, believes every token and is no
// product.
//
//	server.go   Server: conversations and connections
//	api.go      the HTTP API, as far as load asks for it
//	session.go  one socket
//	events.go   what it asks for
package standin

import (
	"encoding/json"
	"net/http"
	"sync"
	"time"

	"github.com/google/uuid"
)

// Server is the chat. It is an http.Handler.
type Server struct {
	mux *http.ServeMux

	mu            sync.Mutex // guards what follows, and is taken before a conversation's
	conversations map[uuid.UUID]*conversation
	inboxes       map[uuid.UUID][]*conversation // by member

	people   sync.Mutex // guards what follows, and is taken after a conversation's
	sessions map[*session]struct{}
	byUser   map[uuid.UUID][]*session
}

// conversation is one, with everything that was said in it.
type conversation struct {
	id uuid.UUID

	mu       sync.Mutex // guards what follows
	members  map[uuid.UUID]struct{}
	read     map[uuid.UUID]int64 // how far; of former members too
	messages []message
	byClient map[clientKey]int // in messages
	byID     map[uuid.UUID]int64
	room     map[*session]struct{}
}

type clientKey struct{ sender, client uuid.UUID }

// message is as the contract has it.
type message struct {
	ID              uuid.UUID `json:"id"`
	ConversationID  uuid.UUID `json:"conversationId"`
	Seq             int64     `json:"seq"`
	SenderID        uuid.UUID `json:"senderId"`
	Sender          sender    `json:"sender"`
	Message         string    `json:"message"`
	AttachmentURLs  []string  `json:"attachmentUrls"`
	ClientMessageID uuid.UUID `json:"clientMessageId,omitzero"`
	CreatedAt       time.Time `json:"createdAt"`
}

type sender struct {
	ID       uuid.UUID `json:"id"`
	Username string    `json:"username"`
}

// New is a chat without conversations.
func New() *Server {
	s := &Server{
		mux: http.NewServeMux(), conversations: map[uuid.UUID]*conversation{}, inboxes: map[uuid.UUID][]*conversation{},
		sessions: map[*session]struct{}{}, byUser: map[uuid.UUID][]*session{},
	}
	s.routes()
	return s
}

// ServeHTTP implements http.Handler.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.mux.ServeHTTP(w, r) }

func (s *Server) conversation(id uuid.UUID) *conversation {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.conversations[id]
}

// sessionsOf are a user's connections.
func (s *Server) sessionsOf(user uuid.UUID) []*session {
	s.people.Lock()
	defer s.people.Unlock()
	return append([]*session(nil), s.byUser[user]...)
}

// Close ends every connection.
func (s *Server) Close() {
	s.people.Lock()
	defer s.people.Unlock()
	for c := range s.sessions {
		c.close()
	}
}

// encode is for what can always be encoded.
func encode(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic("standin: " + err.Error())
	}
	return string(b)
}
