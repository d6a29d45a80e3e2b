// Command cold measures a cold start: a deliver that knows nothing is given one message of each of very many
// conversations, so that each has to be looked up before its message can be numbered; beside it, the same with a deliver
// that knows them all.
//
//	go run ./loadtest/cold     100,000 conversations, each touched once in a minute
//
// It starts engines and roles itself. Conversations go straight into the store and messages straight into the topic, as
// gateways publish them; what is measured is deliver, by its own metrics.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	mathrand "math/rand/v2"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/dozaar/dozaar/loadtest/bench"
	"github.com/dozaar/dozaar/loadtest/stack"
	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/kafka"
	"github.com/dozaar/dozaar/pkg/store/cassandra"
	"github.com/dozaar/dozaar/schemas"
	"github.com/dozaar/dozaar/schemas/registry"
)

// page gets what was measured.
const page = "docs/benchmarks/pipeline.md"

func main() {
	count := flag.Int("conversations", 100_000, "so many")
	during := flag.Duration("during", time.Minute, "in which each is touched once")
	publish := flag.Bool("publish", false, "write the table of "+page)
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := measure(ctx, os.Stdout, *count, *during, *publish)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "cold:", err)
		os.Exit(1)
	}
}

func measure(ctx context.Context, out io.Writer, count int, during time.Duration, publish bool) (err error) {
	dir, err := os.MkdirTemp("", "dozaar-cold-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a folder for this run
	engines, err := stack.StartEngines(ctx, "cold")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, engines.Stop()) }()
	product, err := stack.StartProduct(ctx, engines, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, product.Stop()) }()
	producer, err := connect(ctx, engines, product)
	if err != nil {
		return err
	}
	defer producer.Close(context.WithoutCancel(ctx)) //nolint:errcheck // each record was waited for
	fmt.Fprintf(os.Stderr, "making %d conversations\n", count)
	conversations, err := populate(ctx, engines, count)
	if err != nil {
		return err
	}
	var rows strings.Builder
	deliver := product.Named(stack.Deliver)
	for _, pass := range []struct {
		name string
		cold bool
	}{
		{"the first message of each", true},
		{"the second, deliver having been started anew: **cold**", true},
		{"the third, deliver knowing them all", false},
	} {
		if pass.cold {
			if err := errors.Join(deliver.Stop(), deliver.Start(ctx)); err != nil {
				return err
			}
		}
		fmt.Fprintln(os.Stderr, pass.name)
		row, err := touch(ctx, deliver, producer, conversations, during)
		if err != nil {
			return fmt.Errorf("%s: %w", pass.name, err)
		}
		fmt.Fprintf(&rows, "| %s | %s |\n", pass.name, row)
	}
	text := fmt.Sprintf("%s conversations, a message to each within %v, in no order.\n\n", bench.Thousands(count), during) +
		"| deliver is given | stored a second | record to stored: p50 s | p99 s | most parked at once | CPU of deliver, µs a message | its memory, MB |\n" +
		"|---|--:|--:|--:|--:|--:|--:|\n" + rows.String()
	if publish {
		return bench.Publish(page, "cold", text)
	}
	_, err = io.WriteString(out, text)
	return err
}

// connect makes a producer like a gateway's.
func connect(ctx context.Context, engines *stack.Engines, product *stack.Product) (*kafka.Producer, error) {
	client, err := registry.New(nil, "http://"+product.Named(stack.Registry).Admin)
	if err != nil {
		return nil, err
	}
	defer client.Close()
	codec, err := schemas.NewCodec(ctx, client)
	if err != nil {
		return nil, err
	}
	return kafka.NewProducer(kafka.ProducerConfig{Config: kafka.Config{Brokers: engines.Kafka()}}, codec)
}

// populate makes conversations of two: a buyer of its own each, and sellers that have a hundred.
func populate(ctx context.Context, engines *stack.Engines, count int) ([]chat.Conversation, error) {
	store, err := cassandra.Open(ctx, cassandra.Config{Hosts: engines.Cassandra(), Keyspace: stack.Keyspace})
	if err != nil {
		return nil, err
	}
	defer store.Close() //nolint:errcheck // all of it was written
	sellers := make([]chat.ID, (count+99)/100)
	for i := range sellers {
		sellers[i] = chat.NewID()
	}
	all := make([]chat.Conversation, count)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(64)
	for i := range all {
		group.Go(func() error {
			now := time.Now().UTC().Truncate(time.Millisecond)
			c := chat.Conversation{ID: chat.NewID(), CreatedAt: now, Members: []chat.Member{
				{UserID: chat.NewID(), Username: "buyer"}, {UserID: sellers[i%len(sellers)], Username: "seller"},
			}}
			stored, _, err := store.CreateConversation(ctx, c)
			all[i] = stored
			return err
		})
	}
	return all, group.Wait()
}

// touch publishes a message to each conversation, spread over the time, and waits until deliver has stored them all.
func touch(ctx context.Context, deliver *stack.Service, producer *kafka.Producer, conversations []chat.Conversation, during time.Duration) (row string, err error) {
	before, err := look(ctx, deliver)
	if err != nil {
		return "", err
	}
	begun := time.Now()
	group, publishing := errgroup.WithContext(ctx)
	group.SetLimit(1024)
	for n, i := range mathrand.Perm(len(conversations)) {
		time.Sleep(time.Until(begun.Add(during * time.Duration(n) / time.Duration(len(conversations)))))
		group.Go(func() error {
			c := conversations[i]
			return producer.PublishMessage(publishing, chat.Message{
				ID: chat.NewID(), ConversationID: c.ID, Sender: chat.User{ID: c.Members[0].UserID, Username: c.Members[0].Username}, Text: "Is it still available?",
				CreatedAt: time.Now().UTC().Truncate(time.Millisecond),
			})
		})
		if publishing.Err() != nil {
			break
		}
	}
	if err := group.Wait(); err != nil {
		return "", err
	}
	var now sight
	parked := 0.0
	for last, moved := 0.0, time.Now(); ; {
		if now, err = look(ctx, deliver); err != nil {
			return "", err
		}
		stored := now.stored.count() - before.stored.count()
		parked = max(parked, now.parked)
		if stored >= float64(len(conversations)) {
			break
		}
		if stored > last {
			last, moved = stored, time.Now()
		} else if time.Since(moved) > time.Minute {
			return "", fmt.Errorf("only %.0f of %d were stored, and no more for a minute", stored, len(conversations))
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
	took := time.Since(begun).Seconds()
	waits := now.stored.since(before.stored)
	return fmt.Sprintf("%.0f | %.3g | %.3g | %.0f | %.0f | %.0f", float64(len(conversations))/took, waits.quantile(0.5), waits.quantile(0.99),
		parked, (now.cpu-before.cpu)/float64(len(conversations))*1e6, now.memory/1e6), nil
}
