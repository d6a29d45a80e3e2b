package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/dozaar/dozaar/loadtest/bench"
	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/presence"
	"github.com/dozaar/dozaar/pkg/relay"
	"github.com/dozaar/dozaar/pkg/store/sqlite"
	announce "github.com/dozaar/dozaar/streams/presence"
)

// comings is how often a seller comes online; the medians are of these.
const comings = 20

// measureSellers has sellers of ever more conversations come online, all their buyers being online, spread over gateways.
func measureSellers(ctx context.Context, p plan, r *server) (table string, err error) {
	dir, err := os.MkdirTemp("", "dozaar-presence-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a folder for this run
	store, err := sqlite.Open(ctx, filepath.Join(dir, "seller.db"), slog.New(slog.DiscardHandler), nil)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	table = fmt.Sprintf("**A big seller** comes online, and all buyers are online, at %d gateways.\n\n", p.gateways)
	table += "| conversations | told | Redis operations | KiB | envelopes | finding whom to tell | all of it |\n|---:|---:|---:|---:|---:|---:|---:|\n"
	for _, n := range p.conversations {
		row, err := measureSeller(ctx, r, store, p.gateways, n)
		if err != nil {
			return "", err
		}
		table += row
	}
	return table, nil
}

// counted is a gateway that counts what it is told.
type counted struct{ envelopes, people *atomic.Int64 }

func (c counted) Receive(_ context.Context, e relay.Envelope) {
	if e.Presence != nil {
		c.envelopes.Add(1)
		c.people.Add(int64(len(e.Presence.To)))
	}
}

func (counted) Resync(context.Context, string)   {}
func (counted) Unheard(context.Context)          {}
func (counted) Heard(context.Context, time.Time) {}

func measureSeller(ctx context.Context, r *server, store *sqlite.Store, gateways, conversations int) (string, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var running errgroup.Group
	defer func() { cancel(); _ = running.Wait() }()
	seller := chat.NewID()
	var envelopes, people atomic.Int64
	var leases []*presence.Leases
	for g := range gateways {
		name := fmt.Sprintf("gateway-%d-%s", g, seller)
		leases = append(leases, presence.NewLeases(presence.LeasesConfig{Redis: r.client, Instance: name}))
		receiver := relay.NewReceiver(relay.ReceiverConfig{Redis: r.client, Instance: name}, counted{&envelopes, &people})
		running.Go(func() error { return receiver.Run(ctx) })
		<-receiver.Ready()
	}
	var buyers []chat.Arrival
	for range conversations {
		buyer := chat.NewID()
		buyers = append(buyers, chat.Arrival{UserID: buyer, Visibility: chat.Visible})
		if _, _, err := store.CreateConversation(ctx, chat.Conversation{
			ID: chat.NewID(), Revision: 1, CreatedAt: time.Now(),
			Members: []chat.Member{{UserID: seller, Username: "seller"}, {UserID: buyer, Username: "buyer"}},
		}); err != nil {
			return "", err
		}
	}
	for i, part := range slices.Collect(slices.Chunk(buyers, max(1, (len(buyers)+gateways-1)/gateways))) {
		if _, err := leases[i].Connect(ctx, part...); err != nil {
			return "", err
		}
	}
	return comeOnline(ctx, r, store, seller, conversations, &envelopes, &people)
}

// comeOnline announces the seller again and again.
func comeOnline(ctx context.Context, r *server, store *sqlite.Store, seller chat.ID, conversations int, envelopes, people *atomic.Int64) (string, error) {
	directory := presence.NewDirectory(presence.DirectoryConfig{Redis: r.client})
	told := &stage{told: make(chan struct{}, comings), directory: directory}
	finding := &timedPeers{store: store}
	announcer := announce.NewAnnouncer(announce.Config{
		Peers: finding, Directory: told, Publisher: told, MaxPeers: presence.MaxPeers,
		Relay: relay.NewSender(relay.SenderConfig{Redis: r.client, Name: "seller", Ephemeral: true}),
	})
	running, stop := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = announcer.Run(running) // ends with its context
	}()
	defer func() { stop(); <-ended }()
	var operations, kib, whole []float64
	for i := range comings {
		before, err := r.used(ctx, os.Getpid())
		if err != nil {
			return "", err
		}
		at := time.Now()
		announcer.Announce(ctx, chat.PresenceChange{UserID: seller, Online: true, Version: int64(i + 1), At: at})
		select {
		case <-told.told:
		case <-ctx.Done():
			return "", ctx.Err()
		}
		whole = append(whole, ms(at))
		after, err := r.used(ctx, os.Getpid())
		if err != nil {
			return "", err
		}
		u := after.since(before)
		operations, kib = append(operations, u.operations), append(kib, u.bytes/1024)
	}
	for end := time.Now().Add(5 * time.Second); envelopes.Load()%comings != 0 && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond) // what is still on its way
	}
	return fmt.Sprintf("| %s | %d | %.0f | %.0f | %d | %.1f ms | %.1f ms |\n", bench.Thousands(conversations), people.Load()/comings,
		bench.Median(operations), bench.Median(kib), envelopes.Load()/comings, bench.Median(finding.ms), bench.Median(whole)), nil
}

// timedPeers measures the store's part.
type timedPeers struct {
	store *sqlite.Store
	ms    []float64
}

// Peers is the store's.
func (t *timedPeers) Peers(ctx context.Context, user chat.ID, limit int) ([]chat.ID, error) {
	at := time.Now()
	peers, err := t.store.Peers(ctx, user, limit)
	t.ms = append(t.ms, ms(at))
	return peers, err
}
