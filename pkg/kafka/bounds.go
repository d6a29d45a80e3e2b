package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// ErrOffsetOutOfLog is the error of Run when the offset to read next is not in the log: records were
// deleted before they were read, the log was cut or replaced, or the group never committed.
var ErrOffsetOutOfLog = errors.New("the group's offset is out of the log")

const whatToDo = "nothing was reset: see which records are missing, bring them back or accept the loss, and set the group's offset by hand (kafka-consumer-groups.sh --reset-offsets); if the topic was made again or restored, run `dozaar topics adopt`"

// checkOffsets looks at the committed offsets of newly assigned partitions before anything is fetched
// from them. A group that has none, or one that the log does not have, is not moved: Run fails.
func (c *Consumer) checkOffsets(ctx context.Context, fetched map[string]map[int32]kgo.Offset) (map[string]map[int32]kgo.Offset, error) {
	var wrong []error
	for attempt := range 2 { // a new leader may not know the end of the log at once
		if attempt > 0 && !pause(ctx, time.Second) {
			return nil, ctx.Err()
		}
		starts, ends, err := c.logBounds(ctx)
		if err != nil {
			return nil, err
		}
		if wrong = c.compare(fetched, starts, ends); len(wrong) == 0 {
			return fetched, nil
		}
	}
	c.metrics.outOfLog.WithLabelValues(c.cfg.Group).Add(float64(len(wrong)))
	err := errors.Join(wrong...)
	c.fail(err)
	return nil, err
}

// logBounds asks until it is answered or ctx ends.
func (c *Consumer) logBounds(ctx context.Context) (starts, ends kadm.ListedOffsets, err error) {
	for {
		starts, err = c.admin.ListStartOffsets(ctx, c.cfg.Topics...)
		if err = errors.Join(err, starts.Error()); err == nil {
			ends, err = c.admin.ListEndOffsets(ctx, c.cfg.Topics...)
			if err = errors.Join(err, ends.Error()); err == nil {
				return starts, ends, nil
			}
		}
		c.cfg.Logger.Warn("cannot ask where the logs start and end; trying again", "group", c.cfg.Group, "error", err)
		if !pause(ctx, 500*time.Millisecond) {
			return nil, nil, ctx.Err()
		}
	}
}

func (c *Consumer) compare(fetched map[string]map[int32]kgo.Offset, starts, ends kadm.ListedOffsets) (wrong []error) {
	for topic, partitions := range fetched {
		for id, offset := range partitions {
			start, _ := starts.Lookup(topic, id)
			end, _ := ends.Lookup(topic, id)
			committed := offset.EpochOffset()
			moved := false
			if c.cfg.FromNow {
				if at := nearest(committed.Offset, start.Offset, end.Offset); at != committed.Offset {
					committed, moved = kgo.EpochOffset{Epoch: -1, Offset: at}, true
					partitions[id] = kgo.NewOffset().At(at)
				}
			}
			if why := outOfLog(committed.Offset, start.Offset, end.Offset); why != "" {
				wrong = append(wrong, fmt.Errorf("%w: %s partition %d: %s", ErrOffsetOutOfLog, topic, id, why))
				continue
			}
			c.mu.Lock()
			a := c.assigned[partition{topic, id}]
			c.mu.Unlock()
			if a != nil {
				a.startAt(committed, end.Offset, moved)
			}
		}
	}
	return wrong
}

// nearest is where a group goes on that takes what there is.
func nearest(committed, start, end int64) int64 {
	if committed < 0 {
		return end
	}
	return min(max(committed, start), end)
}

// outOfLog says what is wrong with a committed offset, and what to do, or "".
func outOfLog(committed, start, end int64) string {
	switch {
	case committed < 0:
		return "the group has never committed an offset here; run `dozaar topics apply`, which sets the first ones"
	case committed < start:
		return fmt.Sprintf("the group is at offset %d, but the log starts at %d: records were deleted before they were read; %s", committed, start, whatToDo)
	case committed > end:
		return fmt.Sprintf("the group is at offset %d, but the log ends at %d: the log was cut or replaced; %s", committed, end, whatToDo)
	}
	return ""
}
