package kafka

import (
	"context"

	"github.com/dozaar/dozaar/pkg/chat"
)

// Worker processes one assignment of one partition. It is made when the partition is assigned and
// forgotten when it is taken away.
type Worker interface {
	// Run takes the assignment's records and reports those that are done, until ctx ends, which it does
	// when the partition is taken away. It retries what fails. When it returns, nothing of it is at work
	// any more; an error while ctx lives stops the consumer.
	Run(ctx context.Context, from Records) error
}

// Records are the records of one assignment. What a worker has taken and not done counts towards the bounds
// of ConsumerConfig, so that a worker may take whatever there is, and none that is slow needs unbounded memory.
type Records interface {
	// Take waits for the next records, in their order. It fails only when ctx has ended. Not for two
	// goroutines at once.
	Take(ctx context.Context) ([]Record, error)
	// Done says that records are done, for good, in whatever order. The offset that is committed is the lowest
	// that is not done: what is done above it comes again after a crash. It may be called from anywhere.
	Done(positions ...chat.Position)
}

// InOrder makes a worker that finishes some records before it takes the next ones. process returns nil when
// all of them are done, and an error only when ctx has ended.
func InOrder(process func(ctx context.Context, records []Record) error) Worker {
	return inOrder(process)
}

type inOrder func(ctx context.Context, records []Record) error

func (process inOrder) Run(ctx context.Context, from Records) error {
	for {
		records, err := from.Take(ctx)
		if err != nil {
			return err
		}
		if err := process(ctx, records); err != nil {
			return err
		}
		done := make([]chat.Position, len(records))
		for i, r := range records {
			done[i] = r.Position
		}
		from.Done(done...)
	}
}
