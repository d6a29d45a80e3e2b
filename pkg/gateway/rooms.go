package gateway

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
)

// How long a room without sockets stays open, so that a reload does not cost a round of Redis, and
// how often idle rooms are looked for; how long opening one may take.
const (
	roomLinger   = 30 * time.Second
	roomSweep    = 5 * time.Second
	roomOpenTime = 10 * time.Second
)

// rooms are the conversations in which this gateway has sockets.
type rooms struct {
	mu   sync.Mutex // guards byID
	byID map[chat.ID]*room
}

func (all *rooms) init() { all.byID = map[chat.ID]*room{} }

func (all *rooms) get(conversation chat.ID) *room {
	all.mu.Lock()
	defer all.mu.Unlock()
	return all.byID[conversation]
}

func (all *rooms) getOrCreate(conversation chat.ID) (r *room, created bool) {
	all.mu.Lock()
	defer all.mu.Unlock()
	if r = all.byID[conversation]; r != nil {
		return r, false
	}
	r = newRoom(conversation)
	all.byID[conversation] = r
	return r, true
}

func (all *rooms) drop(r *room) {
	all.mu.Lock()
	defer all.mu.Unlock()
	delete(all.byID, r.id)
	close(r.gone)
}

func (all *rooms) list() []*room {
	all.mu.Lock()
	defer all.mu.Unlock()
	list := make([]*room, 0, len(all.byID))
	for _, r := range all.byID {
		list = append(list, r)
	}
	return list
}

func (all *rooms) size() int {
	all.mu.Lock()
	defer all.mu.Unlock()
	return len(all.byID)
}

// openRoom returns the conversation's room with the socket of one of its members attached, not yet live. The first socket
// opens it: register, wait, then read the head. So each message is in what was read or is sent to us.
func (g *Gateway) openRoom(ctx context.Context, c membership, s *session) (*room, error) {
	for {
		r, created := g.rooms.getOrCreate(c.ID)
		if created {
			g.open(r)
		}
		select {
		case <-r.ready:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if r.failed != nil {
			return nil, r.failed
		}
		closing, err := r.attach(s, c)
		if err != nil {
			return nil, err
		}
		if !closing {
			return r, nil
		}
		select { // it was just closing: wait until Redis has forgotten it, then open it anew
		case <-r.gone:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (g *Gateway) open(r *room) {
	defer close(r.ready)
	ctx, cancel := context.WithTimeout(g.base, roomOpenTime)
	defer cancel()
	if r.failed = g.register(ctx, r); r.failed != nil {
		g.rooms.drop(r)
		return
	}
	g.fillIfNeeded(r)
}

func (g *Gateway) register(ctx context.Context, r *room) error {
	if err := g.Leases.OpenRoom(ctx, r.id); err != nil {
		return fmt.Errorf("%w: register the room: %w", chat.ErrUnavailable, err)
	}
	c, err := g.readMembers(ctx, r.id)
	if err != nil {
		return err
	}
	heads, err := g.Store.Heads(ctx, []chat.ID{r.id})
	if err != nil {
		return err
	}
	r.start(c, heads[r.id].Seq)
	return nil
}

// closeIdleRooms gives up rooms that nobody has been in for a while.
func (g *Gateway) closeIdleRooms(ctx context.Context) error {
	tick := time.NewTicker(roomSweep)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		for _, r := range g.rooms.list() {
			if !r.closeIfIdle(roomLinger) {
				continue
			}
			// A lease that cannot be given up now ends by itself.
			if err := g.Leases.CloseRoom(ctx, r.id); err != nil {
				g.log.Warn("close a room", "error", err)
			}
			g.rooms.drop(r)
		}
	}
}
