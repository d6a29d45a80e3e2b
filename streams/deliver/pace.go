package deliver

import (
	"context"
	"time"

	"github.com/dozaar/dozaar/pkg/kafka"
)

// paced has a worker take records no more often than every so long, so that what comes one by one is dealt with together:
// somebody who scrolls through a thousand messages marks each, and the greatest of many marks is one write. The first
// after a pause waits for nothing.
type paced struct {
	kafka.Worker
	every time.Duration
}

// Run implements kafka.Worker.
func (p paced) Run(ctx context.Context, from kafka.Records) error {
	return p.Worker.Run(ctx, &pacedRecords{Records: from, every: p.every})
}

type pacedRecords struct {
	kafka.Records
	every time.Duration
	last  time.Time
}

// Take implements kafka.Records.
func (r *pacedRecords) Take(ctx context.Context) ([]kafka.Record, error) {
	pause := time.NewTimer(r.every - time.Since(r.last))
	defer pause.Stop()
	select {
	case <-pause.C:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	records, err := r.Records.Take(ctx)
	r.last = time.Now()
	return records, err
}
