// Package presence is the role that tells people who came and who went.
//
// It runs the sweeper, which takes users offline whose leases are over, and the Announcer, which tells
// a change to those who share a conversation with the user, most recent first, up to a cap: never to
// the world. The gateway uses an Announcer of its own for who comes online.
//
// It promises that a change is told at least once for as long as somebody sweeps: what is not told
// (the queue was full, the store or Redis was away, the process died) stays unconfirmed, and a sweeper
// brings it up again. It may be told twice; receivers drop what is not newer by its version. The role
// keeps no state, and any number of it may run.
package presence

import (
	"context"

	"golang.org/x/sync/errgroup"
)

// Sweeper finds who went offline and hands them to the announcer it was made with.
type Sweeper interface {
	Run(ctx context.Context) error
}

// Role is the running role.
type Role struct {
	sweeper   Sweeper
	announcer *Announcer
}

// New puts a role together. The sweeper's announce function is the announcer's Enqueue.
func New(sweeper Sweeper, announcer *Announcer) *Role {
	return &Role{sweeper: sweeper, announcer: announcer}
}

// Run runs both until ctx ends or one fails.
func (r *Role) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return r.sweeper.Run(ctx) })
	g.Go(func() error { return r.announcer.Run(ctx) })
	return g.Wait()
}
