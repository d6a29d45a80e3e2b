package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

type missingOffset struct {
	group string
	partition
	start int64 // of the log
}

// coordinatorPatience is how long a cluster that was just started may take to find a group's coordinator.
const coordinatorPatience = 30 * time.Second

// committedOffsets is what a group has committed; a group that is not there has committed nothing.
func committedOffsets(ctx context.Context, admin *kadm.Client, group string) (kadm.OffsetResponses, error) {
	for end := time.Now().Add(coordinatorPatience); ; {
		committed, err := admin.FetchOffsets(ctx, group)
		err = errors.Join(err, committed.Error())
		switch {
		case err == nil || errors.Is(err, kerr.GroupIDNotFound):
			return committed, nil
		case !kerr.IsRetriable(err) && !errors.Is(err, kerr.CoordinatorNotAvailable) || time.Now().After(end) || !pause(ctx, 250*time.Millisecond):
			return nil, fmt.Errorf("fetch the offsets of group %s: %w: %w", group, chat.ErrUnavailable, err)
		}
	}
}

// missingOffsets finds the partitions in which a group has never committed.
func (t *topics) missingOffsets(ctx context.Context) ([]missingOffset, error) {
	var missing []missingOffset
	for group, names := range t.cfg.Groups {
		starts, err := t.admin.ListStartOffsets(ctx, names...)
		if err != nil {
			return nil, fmt.Errorf("ask where the logs start: %w: %w", chat.ErrUnavailable, err)
		}
		committed, err := committedOffsets(ctx, t.admin, group)
		if err != nil {
			return nil, err
		}
		starts.Each(func(start kadm.ListedOffset) {
			if start.Err != nil {
				return // a topic that is missing is told by check
			}
			if at, ok := committed.Lookup(start.Topic, start.Partition); !ok || at.At < 0 {
				missing = append(missing, missingOffset{group, partition{start.Topic, start.Partition}, start.Offset})
			}
		})
	}
	return missing, nil
}

// outOfLog names the partitions in which a group is at an offset that the log does not have. Asked before
// anything is produced, it tells a log that was cut from one that is merely short.
func (t *topics) outOfLog(ctx context.Context) (wrong []error, err error) {
	for group, names := range t.cfg.Groups {
		starts, err := t.admin.ListStartOffsets(ctx, names...)
		if err != nil {
			return nil, fmt.Errorf("ask where the logs start: %w: %w", chat.ErrUnavailable, err)
		}
		committed, err := committedOffsets(ctx, t.admin, group)
		if err != nil {
			return nil, err
		}
		ends, err := t.admin.ListEndOffsets(ctx, names...)
		if err != nil {
			return nil, fmt.Errorf("ask where the logs end: %w: %w", chat.ErrUnavailable, err)
		}
		committed.Each(func(o kadm.OffsetResponse) {
			start, known := starts.Lookup(o.Topic, o.Partition)
			end, also := ends.Lookup(o.Topic, o.Partition)
			if o.At < 0 || !known || !also || start.Err != nil || end.Err != nil {
				return // never committed, or no such topic: told elsewhere
			}
			if why := outOfLog(o.At, start.Offset, end.Offset); why != "" {
				wrong = append(wrong, fmt.Errorf("%w: %s partition %d: %s", ErrOffsetOutOfLog, o.Topic, o.Partition, why))
			}
		})
	}
	return wrong, nil
}

// HasConsumed tells whether a consumer group has ever committed that a record was done.
func HasConsumed(ctx context.Context, cfg Config, group string) (bool, error) {
	if err := cfg.defaults(); err != nil {
		return false, err
	}
	client, err := kgo.NewClient(cfg.options()...)
	if err != nil {
		return false, err
	}
	defer client.Close()
	committed, err := committedOffsets(ctx, kadm.NewClient(client), group)
	if err != nil {
		return false, err
	}
	consumed := false
	committed.Each(func(o kadm.OffsetResponse) { consumed = consumed || o.At > 0 })
	return consumed, nil
}

// startGroups commits the log's start where a group has no offset. Where records are gone already it
// does so only when told that the group is new: a group that lost its offsets would skip them unseen.
func (t *topics) startGroups(ctx context.Context) error {
	missing, err := t.missingOffsets(ctx)
	if err != nil {
		return err
	}
	var refused []error
	starts := make(map[string]kadm.Offsets)
	for _, m := range missing {
		if m.start > 0 && !t.cfg.StartMissing {
			refused = append(refused, fmt.Errorf("%w: group %s has no committed offset in %s partition %d, whose log starts at %d: say that the group is new, or set its offset by hand",
				ErrTopics, m.group, m.topic, m.id, m.start))
			continue
		}
		offsets := starts[m.group]
		offsets.AddOffset(m.topic, m.id, m.start, -1)
		starts[m.group] = offsets
	}
	for group, offsets := range starts {
		if err := t.admin.CommitAllOffsets(ctx, group, offsets); err != nil {
			if missing, again := t.missingOffsets(ctx); again == nil && len(missing) == 0 {
				continue // another process was faster, and the group is at work already
			}
			return fmt.Errorf("commit the first offsets of group %s (its members must be stopped): %w", group, err)
		}
		t.cfg.Logger.Info("committed a group's first offsets", "group", group, "partitions", count(offsets))
	}
	return errors.Join(refused...)
}

func count(o kadm.Offsets) (n int) {
	o.Each(func(kadm.Offset) { n++ })
	return n
}
