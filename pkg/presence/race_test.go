package presence

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/redis/redistest"
)

// gate holds pipelines back until the test lets them go, so that writes arrive in another order than
// they were made in.
type gate struct {
	mu      sync.Mutex
	closed  chan struct{}
	waiting chan struct{}
}

// shut holds back the pipelines of contexts that are marked.
func (g *gate) shut() (open func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	closed := make(chan struct{})
	g.closed, g.waiting = closed, make(chan struct{}, 16)
	return sync.OnceFunc(func() { close(closed) })
}

type heldBack struct{}

func (g *gate) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if ctx.Value(heldBack{}) != nil {
			g.waiting <- struct{}{}
			<-g.closed
		}
		return next(ctx, cmds)
	}
}
func (g *gate) ProcessHook(next redis.ProcessHook) redis.ProcessHook { return next }
func (g *gate) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

func gatedWorld(t *testing.T) (*world, *gate, context.Context) {
	m := redistest.StartMini(t)
	client := redistest.Client(t, m.Addr())
	g := &gate{}
	client.AddHook(g)
	return newWorld(t, client, 30e9, m.Now, m.Advance), g, context.WithValue(t.Context(), heldBack{}, true)
}

// A goodbye that reaches Redis after the next hello must not win.
func TestALateGoodbyeLoses(t *testing.T) {
	w, gate, late := gatedWorld(t)
	a, user := w.gateway("a"), chat.NewID()
	w.connect(a, user)
	open := gate.shut()
	left := make(chan error)
	go func() { left <- a.Disconnect(late, user) }()
	<-gate.waiting
	if change := w.connect(a, user); change != nil {
		t.Errorf("changed: %+v", change)
	}
	open()
	w.must(<-left)
	w.pass(w.ttl)
	w.wantStatus(user, "online")
	w.wantTold()
}

// A renewal that reaches Redis after the goodbye must not keep the user online.
func TestALateRenewalLoses(t *testing.T) {
	w, gate, late := gatedWorld(t)
	a, user := w.gateway("a"), chat.NewID()
	w.connect(a, user)
	open := gate.shut()
	renewed := make(chan error)
	a.table.again(w.now(), nil)
	go func() { _, err := a.renew(late); renewed <- err }()
	<-gate.waiting
	w.must(a.Disconnect(t.Context(), user))
	open()
	w.must(<-renewed)
	w.pass(w.grace() + w.unit())
	w.wantStatus(user, "offline")
	w.wantTold("offline")
}

// A renewal that reaches Redis after the room was closed must not leave it registered.
func TestALateRenewalDoesNotReopenARoom(t *testing.T) {
	w, gate, late := gatedWorld(t)
	a, conv := w.gateway("a"), chat.NewID()
	w.must(a.OpenRoom(t.Context(), conv))
	open := gate.shut()
	renewed := make(chan error)
	a.table.again(w.now(), nil)
	go func() { _, err := a.renew(late); renewed <- err }()
	<-gate.waiting
	w.must(a.CloseRoom(t.Context(), conv))
	open()
	w.must(<-renewed)
	if got := w.rooms(conv); len(got) != 0 {
		t.Errorf("still registered: %v", got)
	}
}

// While a room is being taken out of Redis nobody may believe that it is registered.
func TestOpeningWaitsForClosing(t *testing.T) {
	w, gate, late := gatedWorld(t)
	a, conv := w.gateway("a"), chat.NewID()
	w.must(a.OpenRoom(t.Context(), conv))
	open := gate.shut()
	closed, opened := make(chan error), make(chan error)
	go func() { closed <- a.CloseRoom(late, conv) }()
	<-gate.waiting
	go func() { opened <- a.OpenRoom(t.Context(), conv) }()
	impatient, cancel := context.WithCancel(t.Context())
	cancel()
	if err := a.OpenRoom(impatient, conv); err == nil {
		t.Error("opened before it was closed")
	}
	select {
	case err := <-opened:
		t.Fatalf("opened before it was closed: %v", err)
	case <-time.After(100 * time.Millisecond): // it would have been long ago
	}
	open()
	w.must(<-closed)
	w.must(<-opened)
	if got := w.rooms(conv); len(got) != 1 {
		t.Errorf("owners %v", got)
	}
}
