package standin

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/google/uuid"
)

func (s *Server) routes() {
	s.mux.HandleFunc("POST /v1/conversations", s.create)
	s.mux.HandleFunc("GET /v1/conversations", s.inbox)
	s.mux.HandleFunc("GET /v1/conversations/{id}", s.about(func(c *conversation, _ *http.Request) any {
		return map[string]any{"lastSeq": len(c.messages)}
	}))
	s.mux.HandleFunc("GET /v1/conversations/{id}/messages", s.about(page))
	s.mux.HandleFunc("PUT /v1/conversations/{id}/members/{user}", s.admit)
	s.mux.HandleFunc("DELETE /v1/conversations/{id}/members/{user}", s.expel)
	s.mux.HandleFunc("GET /socket.io/", s.connect)
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v)
}

func (s *Server) create(w http.ResponseWriter, r *http.Request) {
	var asked struct {
		ID      uuid.UUID
		Members []struct{ UserID uuid.UUID }
	}
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c := &conversation{
		id: asked.ID, members: map[uuid.UUID]struct{}{}, read: map[uuid.UUID]int64{}, byClient: map[clientKey]int{}, byID: map[uuid.UUID]int64{}, room: map[*session]struct{}{},
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.conversations[asked.ID] == nil {
		s.conversations[asked.ID] = c
		for _, m := range asked.Members {
			c.members[m.UserID] = struct{}{}
			s.inboxes[m.UserID] = append(s.inboxes[m.UserID], c)
		}
	}
	answer(w, map[string]any{"id": asked.ID})
}

// about answers what is asked of a conversation.
func (s *Server) about(what func(*conversation, *http.Request) any) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		id, _ := uuid.Parse(r.PathValue("id"))
		c := s.conversation(id)
		if c == nil {
			http.NotFound(w, r)
			return
		}
		c.mu.Lock()
		v := what(c, r)
		c.mu.Unlock()
		answer(w, v)
	}
}

func page(c *conversation, r *http.Request) any {
	after, _ := strconv.Atoi(r.FormValue("afterSeq"))
	limit, _ := strconv.Atoi(r.FormValue("limit"))
	from := min(max(after, 0), len(c.messages))
	return map[string]any{"messages": slices.Clone(c.messages[from:min(from+limit, len(c.messages))])}
}

func (s *Server) inbox(w http.ResponseWriter, r *http.Request) {
	user := subject(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
	s.mu.Lock()
	defer s.mu.Unlock()
	var entries []map[string]any
	for _, c := range s.inboxes[user] {
		c.mu.Lock()
		last, read := int64(len(c.messages)), c.read[user]
		c.mu.Unlock()
		entries = append(entries, map[string]any{"id": c.id, "lastSeq": last, "readSeq": read, "unread": last - read})
	}
	answer(w, map[string]any{"conversations": entries})
}

func (s *Server) admit(w http.ResponseWriter, r *http.Request) {
	s.change(w, r, func(c *conversation, user uuid.UUID) {
		if _, there := c.members[user]; !there {
			c.members[user] = struct{}{}
			s.inboxes[user] = append(s.inboxes[user], c)
		}
	})
}

func (s *Server) expel(w http.ResponseWriter, r *http.Request) {
	s.change(w, r, func(c *conversation, user uuid.UUID) {
		delete(c.members, user)
		s.inboxes[user] = slices.DeleteFunc(s.inboxes[user], func(other *conversation) bool { return other == c })
		for member := range c.room {
			if member.user == user {
				delete(c.room, member)
				member.emit("exception", map[string]any{"event": "join:conversation", "code": "not_found", "conversationId": c.id})
			}
		}
	})
}

func (s *Server) change(w http.ResponseWriter, r *http.Request, do func(*conversation, uuid.UUID)) {
	id, _ := uuid.Parse(r.PathValue("id"))
	user, _ := uuid.Parse(r.PathValue("user"))
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.conversations[id]
	if c == nil {
		http.NotFound(w, r)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	do(c, user)
	w.WriteHeader(http.StatusNoContent)
}

// subject is whose token it says it is.
func subject(token string) (user uuid.UUID) {
	if parts := strings.Split(token, "."); len(parts) == 3 {
		claims, _ := base64.RawURLEncoding.DecodeString(parts[1])
		var c struct{ Sub uuid.UUID }
		_ = json.Unmarshal(claims, &c) // of nobody, then
		user = c.Sub
	}
	return user
}
