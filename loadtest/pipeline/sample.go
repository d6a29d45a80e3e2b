package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/twmb/franz-go/pkg/kgo"
)

// The product's topic and streams, of which the floors take their bytes.
const (
	messagesTopic = "chat.messages"
	relayStreams  = "relay:*"
)

// sampleRecords reads some of the newest records that the gateways wrote.
func sampleRecords(ctx context.Context, brokers []string, count int) ([]record, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.ConsumeTopics(messagesTopic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	if err != nil {
		return nil, err
	}
	defer client.Close()
	var records []record
	for len(records) < count {
		fetches := client.PollRecords(ctx, count-len(records))
		if err := fetches.Err(); err != nil {
			return nil, fmt.Errorf("sample records: %w", err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			sample := record{Partition: r.Partition, Key: r.Key, Value: r.Value}
			for _, h := range r.Headers {
				sample.Headers = append(sample.Headers, [2]string{h.Key, string(h.Value)})
			}
			records = append(records, sample)
		})
	}
	return records, nil
}

// relay is what went through the gateways' streams.
type relay struct{ client redis.UniversalClient }

func openRelay(addresses []string) relay {
	return relay{redis.NewUniversalClient(&redis.UniversalOptions{Addrs: addresses})}
}

// added is how many entries were ever appended to the streams that there are.
func (r relay) added(ctx context.Context) (int64, error) {
	streams, err := r.client.Keys(ctx, relayStreams).Result()
	if err != nil {
		return 0, err
	}
	sum := int64(0)
	for _, stream := range streams {
		info, err := r.client.XInfoStream(ctx, stream).Result()
		if err != nil {
			return 0, err
		}
		sum += info.EntriesAdded
	}
	return sum, nil
}

// sample is some of the newest entries that carry envelopes.
func (r relay) sample(ctx context.Context, count int64) ([][]string, error) {
	streams, err := r.client.Keys(ctx, relayStreams).Result()
	if err != nil {
		return nil, err
	}
	var entries [][]string
	for _, stream := range streams {
		messages, err := r.client.XRevRangeN(ctx, stream, "+", "-", count).Result()
		if err != nil {
			return nil, err
		}
		for _, m := range messages {
			if _, envelopes := m.Values["d"]; !envelopes {
				continue // a heartbeat
			}
			var fields []string
			for name, value := range m.Values {
				fields = append(fields, name, fmt.Sprint(value))
			}
			entries = append(entries, fields)
		}
	}
	if len(entries) == 0 {
		return nil, errors.New("nothing went through the relay")
	}
	return entries, nil
}
