package presence

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/dozaar/dozaar/pkg/chat"
)

// Audience is who may see who is online.
type Audience string

// The audiences.
const (
	Everyone Audience = "everyone" // whoever knows an id
	Members  Audience = "members"  // those who share a conversation, the most recent MaxPeers of them
	Nobody   Audience = "nobody"   // presence is off
)

// Audiences lists them.
func Audiences() []Audience { return []Audience{Everyone, Members, Nobody} }

// MaxPeers is how many of those who share a conversation with a user, the most recent first, hear of the user and
// may ask about them: what a change costs does not grow with the conversations of a big seller.
const MaxPeers = 500

// Peers finds who shares a conversation with a user, most recent first.
type Peers interface {
	Peers(ctx context.Context, user chat.ID, limit int) ([]chat.ID, error)
}

// View is what one user may see of others. Its methods may be called at the same time.
type View struct {
	directory *Directory
	audience  Audience
	peers     Peers

	mu    sync.Mutex // guards known
	known *lru.Cache[chat.ID, acquaintance]
}

// acquaintance is whom a user shares a conversation with, as read at a time.
type acquaintance struct {
	with map[chat.ID]bool
	at   time.Time
}

// Whom a user knows is read again after so long, and kept for so many users.
const (
	acquaintedFor = 10 * time.Second
	acquaintances = 2_000
)

// NewView returns one. Peers are asked for where the audience is Members.
func NewView(d *Directory, audience Audience, peers Peers) *View {
	known, _ := lru.New[chat.ID, acquaintance](acquaintances) // fails only for a size below one
	return &View{directory: d, audience: audience, peers: peers, known: known}
}

// Visible answers those of the users whom the asker may see, themselves always among them unless nobody may.
func (v *View) Visible(ctx context.Context, asker chat.ID, users []chat.ID) ([]chat.ID, error) {
	switch v.audience {
	case Nobody:
		return nil, nil
	case Members:
	default:
		return users, nil
	}
	with, err := v.acquainted(ctx, asker)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(slices.Clone(users), func(u chat.ID) bool { return u != asker && !with[u] }), nil
}

// Statuses is Directory.Statuses for those whom the asker was found to be allowed to see, and the answer for an id that
// does not exist for all others.
func (v *View) Statuses(ctx context.Context, users, visible []chat.ID) (map[chat.ID]chat.PresenceStatus, error) {
	may := make(map[chat.ID]bool, len(visible))
	for _, u := range visible {
		may[u] = true
	}
	return v.directory.Statuses(ctx, users, func(u chat.ID) bool { return !may[u] })
}

// Asked is Directory.Asked.
func (v *View) Asked(ctx context.Context, gateway string, users []chat.ID, lasting time.Duration) error {
	return v.directory.Asked(ctx, gateway, users, lasting)
}

// Forget has whom an asker knows read again: that has just changed.
func (v *View) Forget(asker chat.ID) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.known.Remove(asker)
}

// Missed is Directory.Missed.
func (v *View) Missed(ctx context.Context, told []chat.PresenceChange) (unknown []chat.PresenceChange, err error) {
	return v.directory.Missed(ctx, told)
}

func (v *View) acquainted(ctx context.Context, asker chat.ID) (map[chat.ID]bool, error) {
	v.mu.Lock()
	a, found := v.known.Get(asker)
	v.mu.Unlock()
	if found && time.Since(a.at) < acquaintedFor {
		return a.with, nil
	}
	at := time.Now()
	peers, err := v.peers.Peers(ctx, asker, MaxPeers)
	if err != nil {
		return nil, fmt.Errorf("presence: who shares a conversation: %w", err)
	}
	a = acquaintance{make(map[chat.ID]bool, len(peers)), at}
	for _, p := range peers {
		a.with[p] = true
	}
	v.mu.Lock()
	v.known.Add(asker, a)
	v.mu.Unlock()
	return a.with, nil
}
