package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
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
			return nil, fmt.Errorf("fetch the offsets of group %s: %w", group, away(err))
		}
	}
}

// read is what each group reads, but for topics that are to be adopted: their offsets mean nothing until then, and
// adopting sets them.
func (t *topics) read(details kadm.TopicDetails) map[string][]string {
	groups := map[string][]string{}
	for group, names := range t.cfg.Groups {
		for _, name := range names {
			d, was := details[name], t.cfg.Known[name]
			if was.Topic == "" || d.Err != nil || !other(was, identityOf(d)) {
				groups[group] = append(groups[group], name)
			}
		}
	}
	return groups
}

// missingOffsets finds the partitions in which a group has never committed.
func (t *topics) missingOffsets(ctx context.Context, groups map[string][]string) ([]missingOffset, error) {
	var missing []missingOffset
	var failed error
	for group, names := range groups {
		starts, err := t.admin.ListStartOffsets(ctx, names...)
		if err != nil {
			return nil, fmt.Errorf("ask where the logs start: %w", away(err))
		}
		committed, err := committedOffsets(ctx, t.admin, group)
		if err != nil {
			return nil, err
		}
		starts.Each(func(start kadm.ListedOffset) {
			if start.Err != nil {
				if !errors.Is(start.Err, kerr.UnknownTopicOrPartition) { // that is told by check
					failed = fmt.Errorf("ask where the log of %s starts: %w", start.Topic, passing(start.Err))
				}
				return
			}
			if at, ok := committed.Lookup(start.Topic, start.Partition); !ok || at.At < 0 {
				missing = append(missing, missingOffset{group, partition{start.Topic, start.Partition}, start.Offset})
			}
		})
	}
	return missing, failed
}

// checkGroups finds the groups that could not go on.
func (t *topics) checkGroups(ctx context.Context, details kadm.TopicDetails) (faults []Fault, err error) {
	groups := t.read(details)
	missing, err := t.missingOffsets(ctx, groups)
	if err != nil {
		return nil, err
	}
	type place struct{ group, topic string }
	partitions := map[place]int{}
	for _, m := range missing {
		partitions[place{m.group, m.topic}]++
	}
	for at, n := range partitions {
		faults = append(faults, Fault{
			error: fmt.Errorf("group %s has no committed offset in %d partitions of %s; run `dozaar topics apply`", at.group, n, at.topic), mended: true,
		})
	}
	slices.SortFunc(faults, func(a, b Fault) int { return strings.Compare(a.Error(), b.Error()) })
	cut, err := t.outOfLog(ctx, groups)
	for _, c := range cut {
		faults = append(faults, Fault{error: c})
	}
	return faults, err
}

// outOfLog names the partitions in which a group is at an offset that the log does not have. Asked before
// anything is produced, it tells a log that was cut from one that is merely short.
func (t *topics) outOfLog(ctx context.Context, groups map[string][]string) (wrong []error, err error) {
	for group, names := range groups {
		starts, err := t.admin.ListStartOffsets(ctx, names...)
		if err != nil {
			return nil, fmt.Errorf("ask where the logs start: %w", away(err))
		}
		committed, err := committedOffsets(ctx, t.admin, group)
		if err != nil {
			return nil, err
		}
		ends, err := t.admin.ListEndOffsets(ctx, names...)
		if err != nil {
			return nil, fmt.Errorf("ask where the logs end: %w", away(err))
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

// Consumed tells of which topics a consumer group has committed that a record was done.
func Consumed(ctx context.Context, cfg Config, group string) (map[string]bool, error) {
	consumed := map[string]bool{}
	err := TopicsConfig{Config: cfg}.with(ctx, func(t *topics) error {
		committed, err := committedOffsets(ctx, t.admin, group)
		committed.Each(func(o kadm.OffsetResponse) { consumed[o.Topic] = consumed[o.Topic] || o.At > 0 })
		return err
	})
	return consumed, err
}

// startGroups commits the log's start where a group has no offset. Where records are gone already it
// does so only when told that the group is new: a group that lost its offsets would skip them unseen.
func (t *topics) startGroups(ctx context.Context) error {
	details, err := t.admin.ListTopics(ctx, t.names()...)
	if err != nil {
		return away(err)
	}
	groups := t.read(details)
	missing, err := t.missingOffsets(ctx, groups)
	if err != nil {
		return err
	}
	var refused []error
	starts := make(map[string]kadm.Offsets)
	for _, m := range missing {
		if m.start > 0 && !t.cfg.StartMissing {
			refused = append(refused, fmt.Errorf("%w: group %s has no committed offset in %s partition %d, whose log starts at %d: if the group is new, run `dozaar topics apply --accept-unread`, which begins there; if it lost its offsets, set them by hand (kafka-consumer-groups.sh --reset-offsets), or what it had not read is in nobody's history",
				ErrTopics, m.group, m.topic, m.id, m.start))
			continue
		}
		offsets := starts[m.group]
		offsets.AddOffset(m.topic, m.id, m.start, -1)
		starts[m.group] = offsets
	}
	for group, offsets := range starts {
		if err := t.admin.CommitAllOffsets(ctx, group, offsets); err != nil {
			if missing, again := t.missingOffsets(ctx, groups); again == nil && len(missing) == 0 {
				continue // another process was faster, and the group is at work already
			}
			return fmt.Errorf("commit the first offsets of group %s (its members must be stopped): %w", group, passing(err))
		}
		t.cfg.Logger.Info("committed a group's first offsets", "group", group, "partitions", count(offsets))
	}
	return errors.Join(refused...)
}

func count(o kadm.Offsets) (n int) {
	o.Each(func(kadm.Offset) { n++ })
	return n
}
