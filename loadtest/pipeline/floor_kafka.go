package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/dozaar/dozaar/loadtest/converse"
)

// floorTopic is the floor's own. It has as many partitions as the product's.
const floorTopic = "bench.floor"

// record is one of the product's, with the bytes that it had.
type record struct {
	Partition int32       `json:"partition"`
	Key       []byte      `json:"key"`
	Value     []byte      `json:"value"`
	Headers   [][2]string `json:"headers"`
}

// kafkaFloor produces the product's own records and consumes them, with the settings that the product uses.
type kafkaFloor struct {
	records  []record
	producer *kgo.Client
	consumer *kgo.Client
	consumed sync.WaitGroup

	mu    sync.Mutex              // guards what follows; a record is produced and queued in one go
	next  int                     // record to produce
	queue map[int32][]func(error) // by partition: who waits for the next ones to be consumed
}

func (f *kafkaFloor) open(ctx context.Context, c floorCommand) (any, error) {
	if len(c.Records) == 0 {
		return nil, errors.New("no records")
	}
	f.records, f.queue = c.Records, map[int32][]func(error){}
	most := int32(0)
	for _, r := range c.Records {
		most = max(most, r.Partition)
	}
	common := []kgo.Opt{kgo.SeedBrokers(c.Addresses...), kgo.ClientID("floor")}
	var err error
	if f.producer, err = kgo.NewClient(append(common,
		kgo.RequiredAcks(kgo.AllISRAcks()), kgo.RecordPartitioner(kgo.ManualPartitioner()), kgo.ProducerLinger(0),
		kgo.ProducerBatchCompression(kgo.SnappyCompression(), kgo.NoCompression()), kgo.MaxBufferedRecords(2*converse.MostUnderWay),
	)...); err != nil {
		return nil, err
	}
	admin := kadm.NewClient(f.producer)
	if _, err := admin.CreateTopic(ctx, most+1, 1, nil, floorTopic); err != nil {
		return nil, fmt.Errorf("topic %s: %w", floorTopic, err)
	}
	if f.consumer, err = kgo.NewClient(append(common,
		kgo.ConsumeTopics(floorTopic), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.FetchMaxWait(500*time.Millisecond), kgo.FetchMaxBytes(16<<20), kgo.FetchMaxPartitionBytes(1<<20),
	)...); err != nil {
		return nil, err
	}
	f.consumed.Go(func() { f.consume(ctx) })
	return struct{}{}, nil
}

func (f *kafkaFloor) run(ctx context.Context, _ string, o converse.Order) (converse.Outcome, error) {
	return converse.Drive(o, func(done func(error)) {
		f.mu.Lock()
		defer f.mu.Unlock()
		from := f.records[f.next%len(f.records)]
		f.next++
		r := &kgo.Record{Topic: floorTopic, Partition: from.Partition, Key: from.Key, Value: from.Value}
		for _, h := range from.Headers {
			r.Headers = append(r.Headers, kgo.RecordHeader{Key: h[0], Value: []byte(h[1])})
		}
		f.queue[r.Partition] = append(f.queue[r.Partition], done)
		f.producer.Produce(ctx, r, func(_ *kgo.Record, err error) {
			if err != nil {
				done(err)
			}
		})
	})
}

// consume tells those who wait: a partition's records come in the order in which they were produced.
func (f *kafkaFloor) consume(ctx context.Context) {
	for ctx.Err() == nil {
		fetches := f.consumer.PollFetches(ctx)
		if fetches.IsClientClosed() {
			return
		}
		fetches.EachPartition(func(p kgo.FetchTopicPartition) {
			f.mu.Lock()
			waiting := f.queue[p.Partition]
			n := min(len(p.Records), len(waiting))
			f.queue[p.Partition] = waiting[n:]
			f.mu.Unlock()
			for _, done := range waiting[:n] {
				done(nil)
			}
		})
	}
}

func (f *kafkaFloor) close() {
	if f.producer != nil {
		f.producer.Close()
	}
	if f.consumer != nil {
		f.consumer.Close()
	}
	f.consumed.Wait()
}
