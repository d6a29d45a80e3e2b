package kafka

import (
	"context"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
)

// CaughtUp returns once a group has done every record that a topic has now, whatever follows. It fails when ctx has
// ended, or the brokers cannot be asked.
func CaughtUp(ctx context.Context, cfg Config, group, topic string) error {
	return TopicsConfig{Config: cfg}.with(ctx, func(t *topics) error {
		ends, err := t.admin.ListEndOffsets(ctx, topic)
		if err == nil {
			err = ends.Error()
		}
		if err != nil {
			return away(err)
		}
		for {
			committed, err := committedOffsets(ctx, t.admin, group)
			if err != nil {
				return err
			}
			behind := false
			ends.Each(func(end kadm.ListedOffset) {
				at, found := committed.Lookup(end.Topic, end.Partition)
				behind = behind || end.Offset > 0 && (!found || at.At < end.Offset)
			})
			if !behind {
				return nil
			}
			if !pause(ctx, 250*time.Millisecond) {
				return context.Cause(ctx)
			}
		}
	})
}
