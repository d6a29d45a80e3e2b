package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/dozaar/dozaar/pkg/kafka"
	"github.com/dozaar/dozaar/schemas"
	"github.com/dozaar/dozaar/streams/deliver"
)

// checkStored refuses a store that is older than what the group has done: one that was put back to a snapshot, or has
// lost what it had acknowledged. Going on there would give the numbers of what is missing again. What was done last in each partition has to
// be there, or among the dead letters.
func (p *process) checkStored(ctx context.Context, c clients) error {
	var done, lacking []kafka.Record
	err := p.waiting.untilKafka(ctx, c.kafka, func(ctx context.Context) (err error) {
		done, err = kafka.LastDone(ctx, c.quiet(), c.group, schemas.TopicMessages)
		return err
	})
	if err != nil {
		return err
	}
	partitions := kafka.Partitions(map[string]int32{schemas.TopicMessages: c.topics[schemas.TopicMessages].Partitions})
	err = p.waiting.until(ctx, "the store", func(ctx context.Context) (err error) {
		lacking, err = deliver.Lacking(ctx, c.store, c.codec, partitions, done)
		return err
	})
	if err != nil || len(lacking) == 0 {
		return err
	}
	err = p.waiting.untilKafka(ctx, c.kafka, func(ctx context.Context) error {
		return kafka.ReadDeadLetters(ctx, c.quiet(), func(d kafka.DeadLetter) error {
			lacking = slices.DeleteFunc(lacking, func(r kafka.Record) bool {
				return d.Topic == r.Topic && d.Partition == r.Partition && d.Position.Offset == r.Position.Offset &&
					d.Position.Epoch == c.topics[r.Topic].Epoch
			})
			return nil
		})
	})
	if err != nil || len(lacking) == 0 {
		return err
	}
	first := lacking[0]
	return fmt.Errorf("%w: the store does not have what group %s did last in %d partitions, such as offset %d of %s partition %d: it was put back to an older state, and numbers would be given twice; "+
		"stop every deliver and run `dozaar topics rewind --to TIME`, with a time from before that state",
		kafka.ErrTopics, c.group, len(lacking), first.Position.Offset, first.Topic, first.Partition)
}
