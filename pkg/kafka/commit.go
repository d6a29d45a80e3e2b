package kafka

import (
	"context"
	"errors"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// commitTimeout bounds one commit; a rebalance waits for one of them, or two.
const commitTimeout = 5 * time.Second

// commitLoop commits from time to time what is finished, and shows how the lag grows meanwhile. A crash between
// two commits redelivers.
func (c *Consumer) commitLoop(ctx context.Context) {
	for pause(ctx, c.cfg.CommitInterval) {
		c.commit(ctx, c.assignments)
		for _, a := range c.assignments() {
			a.grow()
		}
	}
}

// commitLast commits what revoked assignments have finished, within the time that the group gives.
func (c *Consumer) commitLast(ctx context.Context, finished []*assignment) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTimeout)
	defer cancel()
	c.commit(ctx, func() []*assignment { return finished })
}

// commit commits the finished offsets of assignments. One at a time: a commit that overtook an earlier
// one would move the group back, so the assignments are looked up only when it is this one's turn.
func (c *Consumer) commit(ctx context.Context, of func() []*assignment) {
	select {
	case c.commits <- struct{}{}:
		defer func() { <-c.commits }()
	case <-ctx.Done():
		return
	}
	offsets := make(map[string]map[int32]kgo.EpochOffset)
	byPartition := make(map[partition]*assignment)
	for _, a := range of() {
		offset, fresh := a.uncommitted()
		if !fresh {
			continue
		}
		if offsets[a.topic] == nil {
			offsets[a.topic] = make(map[int32]kgo.EpochOffset)
		}
		offsets[a.topic][a.id] = offset
		byPartition[a.partition] = a
	}
	if len(offsets) == 0 {
		return
	}
	// A commit under way is not cancelled when Run is: that would cut the connection, and the brokers
	// could still carry it out after the next one.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commitTimeout)
	defer cancel()
	c.client.CommitOffsetsSync(ctx, offsets, func(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, answer *kmsg.OffsetCommitResponse, err error) {
		if err == nil {
			err = committed(answer, func(at partition) {
				if a := byPartition[at]; a != nil {
					a.committedTo(offsets[at.topic][at.id].Offset)
				}
			})
		}
		if err != nil {
			c.metrics.commitFailures.WithLabelValues(c.cfg.Group).Inc()
			c.cfg.Logger.Warn("a commit failed; what it was for is committed later, or redelivered", "group", c.cfg.Group, "error", err)
		}
	})
}

// committed goes through the brokers' answer.
func committed(answer *kmsg.OffsetCommitResponse, yes func(partition)) (err error) {
	for _, t := range answer.Topics {
		for _, p := range t.Partitions {
			if refusal := kerr.ErrorForCode(p.ErrorCode); refusal != nil {
				err = errors.Join(err, refusal)
			} else {
				yes(partition{t.Topic, p.Partition})
			}
		}
	}
	return err
}

// lagLoop measures the lag of assigned partitions also while nothing is fetched from them.
func (c *Consumer) lagLoop(ctx context.Context) {
	for pause(ctx, c.cfg.LagInterval) {
		ends, err := c.admin.ListEndOffsets(ctx, c.cfg.Topics...)
		if err != nil {
			continue // the fetches complain
		}
		for _, a := range c.assignments() {
			if end, ok := ends.Lookup(a.topic, a.id); ok && end.Err == nil {
				a.sawEnd(end.Offset)
			}
		}
	}
}
