package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"sync"
)

// gather carries the writes of several callers in one transaction: whoever's turn it is takes along all that have
// come to wait meanwhile, so that they share the wait for the disk. Each is done wholly or not at all, whatever
// becomes of the others.
type gather struct {
	turn chan struct{} // held by whoever writes; taken before mu

	mu      sync.Mutex
	waiting []*gathered // guarded by mu
}

type gathered struct {
	run  func(ctx context.Context, tx *sql.Tx) error
	err  error         // to be read after done
	done chan struct{} // closed when it is on the disk, or has failed
}

func newGather() *gather { return &gather{turn: make(chan struct{}, 1)} }

// gathered is write for what deliver stores, each conversation by itself and many at a time.
func (s *Store) gathered(ctx context.Context, operation string, run func(ctx context.Context, tx *sql.Tx) error) error {
	return s.operations.Measure(operation, func() error {
		return s.classify(ctx, operation, s.gather.do(ctx, s.writer, run))
	})
}

func (g *gather) do(ctx context.Context, db *sql.DB, run func(ctx context.Context, tx *sql.Tx) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	mine := &gathered{run: run, done: make(chan struct{})}
	g.mu.Lock()
	g.waiting = append(g.waiting, mine)
	g.mu.Unlock()
	select {
	case g.turn <- struct{}{}:
		g.write(ctx, db)
		<-g.turn
	case <-mine.done:
	case <-ctx.Done():
		if g.leave(mine) {
			return ctx.Err()
		}
	}
	<-mine.done
	return mine.err
}

// leave takes back what nobody has begun to write.
func (g *gather) leave(mine *gathered) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	i := slices.Index(g.waiting, mine)
	if i >= 0 {
		g.waiting = slices.Delete(g.waiting, i, i+1)
	}
	return i >= 0
}

// write does everything that waits. The caller has the turn. Of ctx only the values count: others may have more
// time, and an interrupted statement would take theirs with it.
func (g *gather) write(ctx context.Context, db *sql.DB) {
	g.mu.Lock()
	all := g.waiting
	g.waiting = nil
	g.mu.Unlock()
	if len(all) == 0 {
		return // another caller's turn has served everybody
	}
	if err := together(context.WithoutCancel(ctx), db, all); err != nil {
		for _, w := range all {
			w.err = errors.Join(w.err, err)
		}
	}
	for _, w := range all {
		close(w.done)
	}
}

// together fails for all, or has each one's error with it.
func together(ctx context.Context, db *sql.DB, all []*gathered) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() // does nothing after a Commit
	for _, w := range all {
		if len(all) == 1 {
			if err := w.run(ctx, tx); err != nil {
				return err
			}
			continue
		}
		if _, err := tx.ExecContext(ctx, `SAVEPOINT one`); err != nil {
			return err
		}
		if w.err = w.run(ctx, tx); w.err != nil {
			if _, err := tx.ExecContext(ctx, `ROLLBACK TO one`); err != nil {
				return err
			}
		}
		if _, err := tx.ExecContext(ctx, `RELEASE one`); err != nil {
			return err
		}
	}
	return tx.Commit()
}
