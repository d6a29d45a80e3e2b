package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/dozaar/dozaar/loadtest/converse"
)

const floorStream = "bench:floor"

// redisFloor appends the product's own entries to a stream and reads them again.
type redisFloor struct {
	entries [][]string
	client  redis.UniversalClient
	ctx     context.Context
	stop    context.CancelFunc
	reading sync.WaitGroup

	mu      sync.Mutex // guards what follows
	next    int
	waiting map[string]func(error) // by number
}

// numberField is the field that holds a number in the product's entries too; here it says which entry came.
const numberField = "n"

func (f *redisFloor) open(ctx context.Context, c floorCommand) (any, error) {
	if len(c.Entries) == 0 {
		return nil, errors.New("no entries")
	}
	f.close() // it is opened anew with other entries
	f.entries, f.waiting = c.Entries, map[string]func(error){}
	f.client = redis.NewUniversalClient(&redis.UniversalOptions{Addrs: c.Addresses})
	f.ctx, f.stop = context.WithCancel(ctx)
	if err := f.client.Del(ctx, floorStream).Err(); err != nil {
		return nil, err
	}
	f.reading.Go(f.read)
	return struct{}{}, nil
}

func (f *redisFloor) run(ctx context.Context, _ string, o converse.Order) (converse.Outcome, error) {
	return converse.Drive(o, func(done func(error)) {
		f.mu.Lock()
		n := strconv.Itoa(f.next)
		values := append([]string{}, f.entries[f.next%len(f.entries)]...)
		f.next++
		f.waiting[n] = done
		f.mu.Unlock()
		for i := 0; i < len(values); i += 2 {
			if values[i] == numberField {
				values[i+1] = n
			}
		}
		go func() {
			err := f.client.XAdd(ctx, &redis.XAddArgs{Stream: floorStream, MaxLen: 10_000, Approx: true, Values: values}).Err()
			if err != nil {
				f.take(n)(err)
			}
		}()
	})
}

func (f *redisFloor) take(n string) func(error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	done := f.waiting[n]
	delete(f.waiting, n)
	if done == nil {
		return func(error) {}
	}
	return done
}

func (f *redisFloor) read() {
	cursor := "0-0"
	for f.ctx.Err() == nil {
		streams, err := f.client.XRead(f.ctx, &redis.XReadArgs{Streams: []string{floorStream}, ID: cursor, Count: 256, Block: 500 * time.Millisecond}).Result()
		if err != nil {
			continue
		}
		for _, m := range streams[0].Messages {
			cursor = m.ID
			f.take(fmt.Sprint(m.Values[numberField]))(nil)
		}
	}
}

func (f *redisFloor) close() {
	if f.client == nil {
		return
	}
	f.stop()
	f.reading.Wait()
	_ = f.client.Close()
}
