package kafka

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
)

// Rewind is what RewindGroup is to do.
type Rewind struct {
	Group string
	To    time.Time
	// AcceptUnread goes on with the records that are there although those from after To may be gone in part: a topic
	// keeps its records for a time.
	AcceptUnread bool
}

// Rewound is how many records of a topic, of all partitions, a group takes again.
type Rewound struct {
	Topic string
	Again int64
}

// RewindGroup sets a group back to the first records that are as new as a time, by the producers' clocks, in all topics
// that it reads. It sets no partition forward, and it may be repeated. Nobody may be in the group.
func RewindGroup(ctx context.Context, cfg TopicsConfig, what Rewind) (rewound []Rewound, err error) {
	err = cfg.with(ctx, func(t *topics) error {
		if err := t.idle(ctx, what.Group); err != nil {
			return err
		}
		var commit kadm.Offsets
		commit, rewound, err = t.rewind(ctx, what)
		if err != nil {
			return err
		}
		err := t.admin.CommitAllOffsets(ctx, what.Group, commit)
		if errors.Is(err, kerr.UnknownMemberID) { // somebody came since
			return fmt.Errorf("%w: %s", ErrGroupActive, what.Group)
		}
		return away(err)
	})
	return rewound, err
}

func (t *topics) rewind(ctx context.Context, what Rewind) (commit kadm.Offsets, rewound []Rewound, err error) {
	names := t.cfg.Groups[what.Group]
	since, err := t.admin.ListOffsetsAfterMilli(ctx, what.To.UnixMilli(), names...)
	if err = errors.Join(err, since.Error()); err != nil {
		return nil, nil, fmt.Errorf("ask for the records since %s: %w", what.To.Format(time.RFC3339), away(err))
	}
	committed, err := committedOffsets(ctx, t.admin, what.Group)
	if err != nil {
		return nil, nil, err
	}
	again := map[string]int64{}
	since.Each(func(to kadm.ListedOffset) {
		was, found := committed.Lookup(to.Topic, to.Partition)
		if !found || was.At < 0 {
			return // EnsureTopics sets the first
		}
		at := min(was.At, to.Offset)
		commit.AddOffset(to.Topic, to.Partition, at, -1)
		again[to.Topic] += was.At - at
	})
	if !what.AcceptUnread {
		if err := t.reach(ctx, names, what.To); err != nil {
			return nil, nil, err
		}
	}
	for _, name := range names {
		rewound = append(rewound, Rewound{name, again[name]})
	}
	return commit, rewound, nil
}

// reach fails where records since a time may be gone already.
func (t *topics) reach(ctx context.Context, names []string, to time.Time) error {
	starts, err := t.admin.ListStartOffsets(ctx, names...)
	if err = errors.Join(err, starts.Error()); err != nil {
		return fmt.Errorf("ask where the logs start: %w", away(err))
	}
	configs, err := describe(ctx, t.admin, names)
	if err != nil {
		return err
	}
	for _, name := range names {
		whole := true
		for _, start := range starts[name] {
			whole = whole && start.Offset == 0
		}
		kept, err := strconv.ParseInt(configs[name]["retention.ms"], 10, 64)
		if whole || err != nil || kept < 0 {
			continue
		}
		if oldest := time.Now().Add(-time.Duration(kept) * time.Millisecond); to.Before(oldest) {
			return fmt.Errorf("%w: %s keeps records for %s, so those from between %s and %s are gone, and what they said may be missing in the store for good: say --accept-unread to go on with those that are there",
				ErrUnread, name, time.Duration(kept)*time.Millisecond, to.Format(time.RFC3339), oldest.Format(time.RFC3339))
		}
	}
	return nil
}
