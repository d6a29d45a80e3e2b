package cassandra

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gocql/gocql"
	"golang.org/x/sync/errgroup"

	"github.com/dozaar/dozaar/pkg/chat"
)

// request is a prepared statement that may be repeated: a read, or a write whose timestamp is in it.
func (s *Store) request(ctx context.Context, statement string, args ...any) *gocql.Query {
	pooled := s.session.Query(statement, args...)
	defer pooled.Release() // the one with a context is a copy
	return pooled.WithContext(ctx).Idempotent(true)
}

// one reads a single row into columns.
func one(q *gocql.Query, columns ...any) (found bool, err error) {
	err = q.Scan(columns...)
	if errors.Is(err, gocql.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// rows reads all rows of a query, page by page, until scan says that it has enough.
func rows(q *gocql.Query, scan func(gocql.Scanner) (enough bool, err error)) error {
	scanner := q.Iter().Scanner()
	for scanner.Next() {
		enough, err := scan(scanner)
		if enough || err != nil {
			return errors.Join(err, scanner.Err())
		}
	}
	return scanner.Err()
}

// each does something for 0 … n-1, up to Config.Concurrency of them at a time. The first error ends it. Of few, the
// caller's goroutine does one: a goroutine for each would cost as much as the request's bytes.
func (s *Store) each(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	if n == 1 {
		return do(ctx, 0)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(s.concurrency)
	for i := range n {
		if ctx.Err() != nil {
			break
		}
		if i < n-1 || n > s.concurrency {
			group.Go(func() error { return do(ctx, i) })
		} else if err := do(ctx, i); err != nil {
			group.Go(func() error { return err })
		}
	}
	return group.Wait()
}

// partitionsAtOnce is how many partitions one request reads: fewer than a node that has a guardrail for it refuses.
const partitionsAtOnce = 20

// many reads a row of each of many partitions by a statement in which the key is the first that has to be equal. scan is never
// called twice at the same time.
//
// Many keys share a request, though they are on many nodes: two cost node and driver half of what two requests do, ten less
// than that. A single one goes to a node that has it.
func (s *Store) many(ctx context.Context, statement string, keys []chat.ID, scan func(gocql.Scanner) error, others ...any) error {
	var mu sync.Mutex // held while scan runs
	together := strings.Replace(statement, "= ?", "IN ?", 1)
	chunks := slices.Collect(slices.Chunk(keys, partitionsAtOnce))
	return s.each(ctx, len(chunks), func(ctx context.Context, i int) error {
		var q *gocql.Query
		if some := chunks[i]; len(some) == 1 {
			q = s.request(ctx, statement, append([]any{uuid(some[0])}, others...)...)
		} else {
			list := make([]gocql.UUID, len(some))
			for at, key := range some {
				list[at] = uuid(key)
			}
			q = s.request(ctx, together, append([]any{list}, others...)...)
		}
		return rows(q, func(row gocql.Scanner) (bool, error) {
			mu.Lock()
			defer mu.Unlock()
			return false, scan(row)
		})
	})
}

// A write is one row of a partition, by a statement that has its own timestamp.
type write struct {
	partition partition
	statement string
	args      []any
	size      int // of what may be large, in bytes
}

// partition tells writes that belong into one batch: of one table and one key.
type partition struct {
	table  string
	id     chat.ID
	bucket int64
}

// A batch of one partition is one mutation: it costs a coordinator little more than a row, up to sizes at which
// the mutation itself becomes a burden.
const (
	batchRows  = 100
	batchBytes = 64 << 10
)

// Rows of several partitions share a request, too, if they are few and small: two cost node and driver little more than one. More
// partitions than that, or more bytes, and Cassandra complains.
const (
	sharedRows  = 10
	sharedBytes = 4 << 10
	rowBytes    = 150 // about, without what may be large
)

// apply does all writes, those of one partition in batches, batches beside each other.
func (s *Store) apply(ctx context.Context, writes []write) error {
	batches := shared(batched(writes))
	return s.each(ctx, len(batches), func(ctx context.Context, i int) error {
		if len(batches[i]) == 1 {
			w := batches[i][0]
			return s.request(ctx, w.statement, w.args...).Exec()
		}
		batch := s.session.NewBatch(gocql.UnloggedBatch).WithContext(ctx)
		for _, w := range batches[i] {
			batch.Entries = append(batch.Entries, gocql.BatchEntry{Stmt: w.statement, Args: w.args, Idempotent: true})
		}
		return s.session.ExecuteBatch(batch)
	})
}

func batched(writes []write) [][]write {
	var batches [][]write
	open := map[partition]int{} // the batch of a partition that still takes rows
	sizes := map[partition]int{}
	for _, w := range writes {
		i, found := open[w.partition]
		if !found || len(batches[i]) == batchRows || sizes[w.partition]+w.size > batchBytes {
			i = len(batches)
			open[w.partition], sizes[w.partition] = i, 0
			batches = append(batches, nil)
		}
		sizes[w.partition] += w.size
		batches[i] = append(batches[i], w)
	}
	return batches
}

// shared joins small batches of several partitions, one after the other.
func shared(batches [][]write) (joint [][]write) {
	rows, bytes := sharedRows, 0 // of the last one
	for _, b := range batches {
		size := rowBytes * len(b)
		for _, w := range b {
			size += w.size
		}
		if rows+len(b) <= sharedRows && bytes+size <= sharedBytes {
			last := len(joint) - 1
			joint[last] = append(joint[last], b...)
			rows, bytes = rows+len(b), bytes+size
			continue
		}
		joint = append(joint, b)
		rows, bytes = len(b), size
	}
	return joint
}

func uuid(id chat.ID) gocql.UUID { return gocql.UUID(id) }

func fromMillis(ms int64) time.Time { return time.UnixMilli(ms).UTC() }
