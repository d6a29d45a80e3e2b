package kafka

import (
	"context"
	"errors"
	"fmt"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// ErrGroupActive says that a consumer group has members, so that its offsets are not ours to set.
var ErrGroupActive = errors.New("the group has active members")

// ErrUnread says that a log has records that its group has not read.
var ErrUnread = errors.New("there are unread records")

// Restart is what RestartGroup is to do.
type Restart struct {
	Group string
	Topic string
	// Was is what the store remembers of the topic. Where the log is still that one, and only has more partitions,
	// the group stays where it is: the offsets it has committed mean what they meant.
	Was chat.TopicIdentity
	// AcceptUnread lets a log of which records are unread have more partitions: a record whose key has moved to
	// another partition since cannot be delivered any more, and goes to the dead letters.
	AcceptUnread bool
}

// RestartGroup puts a group to where it may begin in a log that the store does not know yet, and returns the
// offsets by partition. Nobody may be in the group. It may be repeated.
func RestartGroup(ctx context.Context, cfg TopicsConfig, what Restart) (offsets map[int32]int64, err error) {
	err = cfg.with(ctx, func(t *topics) error {
		if err := t.idle(ctx, what.Group); err != nil {
			return err
		}
		offsets, err = t.beginning(ctx, what)
		if err != nil {
			return err
		}
		var commit kadm.Offsets
		for id, at := range offsets {
			commit.AddOffset(what.Topic, id, at, -1)
		}
		err := t.admin.CommitAllOffsets(ctx, what.Group, commit)
		if errors.Is(err, kerr.UnknownMemberID) { // somebody came since
			return fmt.Errorf("%w: %s", ErrGroupActive, what.Group)
		}
		return away(err)
	})
	return offsets, err
}

// GroupIdle fails where somebody is in the group.
func GroupIdle(ctx context.Context, cfg TopicsConfig, group string) error {
	return cfg.with(ctx, func(t *topics) error { return t.idle(ctx, group) })
}

func (t *topics) idle(ctx context.Context, group string) error {
	described, err := t.admin.DescribeGroups(ctx, group)
	if err == nil {
		err = described.Error()
	}
	if errors.Is(err, kerr.GroupIDNotFound) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("ask who is in group %s: %w", group, away(err))
	}
	if n := len(described[group].Members); n > 0 {
		return fmt.Errorf("%w: %d in %s; stop every deliver first", ErrGroupActive, n, group)
	}
	return nil
}

// beginning is the log's start, or, in a log that only has more partitions, where the group is.
func (t *topics) beginning(ctx context.Context, what Restart) (map[int32]int64, error) {
	details, err := t.admin.ListTopics(ctx, what.Topic)
	if err == nil {
		err = details.Error()
	}
	if err != nil {
		return nil, away(err)
	}
	starts, err := t.admin.ListStartOffsets(ctx, what.Topic)
	if err = errors.Join(err, starts.Error()); err != nil {
		return nil, fmt.Errorf("ask where the log starts: %w", away(err))
	}
	offsets := map[int32]int64{}
	starts.Each(func(o kadm.ListedOffset) { offsets[o.Partition] = o.Offset })
	if details[what.Topic].ID.String() != what.Was.ID {
		return offsets, nil
	}
	return offsets, t.stay(ctx, what, offsets)
}

// stay replaces the starts of the log by what the group has committed.
func (t *topics) stay(ctx context.Context, what Restart, offsets map[int32]int64) error {
	committed, err := committedOffsets(ctx, t.admin, what.Group)
	if err != nil {
		return err
	}
	ends, err := t.admin.ListEndOffsets(ctx, what.Topic)
	if err = errors.Join(err, ends.Error()); err != nil {
		return fmt.Errorf("ask where the log ends: %w", away(err))
	}
	unread := int64(0)
	for id, start := range offsets {
		if at, ok := committed.Lookup(what.Topic, id); ok && at.At >= start {
			offsets[id] = at.At
		}
		if end, _ := ends.Lookup(what.Topic, id); id < what.Was.Partitions {
			unread += max(0, end.Offset-offsets[id])
		}
	}
	if unread > 0 && !what.AcceptUnread {
		return fmt.Errorf("%w: %d in %s, which was given more partitions in place; those whose key has moved cannot be delivered in order, and would go to the dead letters: say --accept-unread to have it so",
			ErrUnread, unread, what.Topic)
	}
	return nil
}

// Lags is how many records a group has not read, by topic. A partition without a committed offset counts whole.
func Lags(ctx context.Context, cfg TopicsConfig, group string) (map[string]int64, error) {
	lags := map[string]int64{}
	err := cfg.with(ctx, func(t *topics) error {
		read := cfg.Groups[group]
		starts, err := t.admin.ListStartOffsets(ctx, read...)
		if err != nil {
			return away(err)
		}
		ends, err := t.admin.ListEndOffsets(ctx, read...)
		if err != nil {
			return away(err)
		}
		committed, err := committedOffsets(ctx, t.admin, group)
		ends.Each(func(end kadm.ListedOffset) {
			if end.Err != nil {
				return // a topic that is missing
			}
			from, _ := starts.Lookup(end.Topic, end.Partition)
			if at, ok := committed.Lookup(end.Topic, end.Partition); ok && at.At >= 0 {
				from.Offset = at.At
			}
			lags[end.Topic] += max(0, end.Offset-from.Offset)
		})
		return err
	})
	return lags, err
}
