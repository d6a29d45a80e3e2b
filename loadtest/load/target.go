package load

import (
	"context"

	"github.com/google/uuid"

	"github.com/dozaar/dozaar/loadtest/client"
)

// Target is the chat that is driven: what a run has to know of it besides what is said over a socket.
type Target interface {
	// Gateways are base URLs. A device begins at one of them and comes back at any.
	Gateways() []string
	// Token lets a user in, and is asked for before each connection.
	Token(Member) string
	// Create makes a conversation, which its members may join from then on.
	Create(ctx context.Context, id uuid.UUID, members []Member) error
}

// A Target may do more. What it cannot do is left out of a run, which says so.
type (
	// Memberships are conversations whose members change: for guests.
	Memberships interface {
		Admit(ctx context.Context, conversation uuid.UUID, m Member) error
		Expel(ctx context.Context, conversation, user uuid.UUID) error
	}
	// Pages are histories that a user may scroll through.
	Pages interface {
		Page(ctx context.Context, reader Member, conversation uuid.UUID, after int64) ([]client.Stored, error)
	}
	// Archive is what is kept of conversations. At the end all of it is read back and judged; without it nothing can be.
	Archive interface {
		Head(ctx context.Context, conversation uuid.UUID) (int64, error)
		History(ctx context.Context, conversation uuid.UUID) ([]client.Stored, error)
		Inbox(ctx context.Context, owner Member) (map[uuid.UUID]Entry, error)
	}
)

// Member is a user as a target is told of them.
type Member struct {
	ID   uuid.UUID `json:"userId"`
	Name string    `json:"username"`
}

// Entry is a conversation in its member's inbox.
type Entry struct {
	ID      uuid.UUID `json:"id"`
	LastSeq int64     `json:"lastSeq"`
	ReadSeq int64     `json:"readSeq"`
	Unread  int64     `json:"unread"`
}
