package main

import (
	"context"
	"errors"
	"io"
	"slices"
	"time"

	"github.com/dozaar/dozaar/loadtest/bench"
	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/presence"
	"github.com/dozaar/dozaar/pkg/redis"
	"github.com/dozaar/dozaar/pkg/relay"
	announce "github.com/dozaar/dozaar/streams/presence"
)

// command is what the gateway is asked: to have users arrive, with those before as their peers or with nobody, and to
// answer when all are written and announced.
type command struct {
	Arrive int
	Peers  int // of each
}

// arrived is its answer, in milliseconds.
type arrived struct {
	Written   float64 // until the last one's lease was there
	Batches   []float64
	Announced float64 // until the last one was told to their peers
}

// batch is how many arrivals the gateway writes together, as pkg/gateway does.
const batch = 500

// stage is a gateway's leases, announcer and relay, and what the announcer asks of a store and of Kafka.
type stage struct {
	users []chat.ID
	peers int
	told  chan struct{}

	directory *presence.Directory
}

// Peers are the users that arrived first.
func (s *stage) Peers(_ context.Context, _ chat.ID, limit int) ([]chat.ID, error) {
	return s.users[:min(s.peers, limit, len(s.users))], nil
}

// Listeners, Newest and Told are the directory's; a change is told when that is confirmed.
func (s *stage) Listeners(ctx context.Context, user chat.ID, peers []chat.ID) (map[chat.ID][]string, []string, error) {
	return s.directory.Listeners(ctx, user, peers)
}

func (s *stage) Newest(ctx context.Context, user chat.ID) (int64, error) {
	return s.directory.Newest(ctx, user)
}

func (s *stage) Told(ctx context.Context, change chat.PresenceChange) error {
	err := s.directory.Told(ctx, change)
	if err == nil {
		s.told <- struct{}{}
	}
	return err
}

func (*stage) PublishPresence(context.Context, chat.PresenceChange) error { return nil }

// Receive takes what is sent to the gateway's own sockets, of which there are none.
func (*stage) Receive(context.Context, relay.Envelope) {}

// Resync is asked for when something was lost.
func (*stage) Resync(context.Context, string) {}

// Unheard implements relay.Handler.
func (*stage) Unheard(context.Context) {}

func (*stage) Heard(context.Context, time.Time) {}

func serveGateway(ctx context.Context, addr string, ttl time.Duration, in io.Reader, out io.Writer) error {
	client, err := redis.Open(redis.Config{Addrs: []string{addr}})
	if err != nil {
		return err
	}
	defer client.Close() //nolint:errcheck // at the end
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s := &stage{told: make(chan struct{}, 1<<20), directory: presence.NewDirectory(presence.DirectoryConfig{Redis: client, TTL: ttl})}
	leases := presence.NewLeases(presence.LeasesConfig{Redis: client, Instance: "measured", TTL: ttl})
	sender := relay.NewSender(relay.SenderConfig{Redis: client, Name: "measured", Ephemeral: true})
	announcer := announce.NewAnnouncer(announce.Config{
		Peers: s, Directory: s, Relay: sender, Publisher: s, MaxPeers: presence.MaxPeers, Queue: 1 << 20, Timeout: time.Minute,
	})
	receiver := relay.NewReceiver(relay.ReceiverConfig{Redis: client, Instance: "measured"}, s)
	for _, run := range []func(context.Context) error{leases.Run, announcer.Run, receiver.Run} {
		go run(ctx) //nolint:errcheck // they end with ctx
	}
	<-receiver.Ready()
	return bench.Answer(in, out, func(c command) (any, error) { return s.arrive(ctx, c, leases, announcer) })
}

// arrive has users come as they come to a gateway after a deploy: as fast as it writes them.
func (s *stage) arrive(ctx context.Context, c command, leases *presence.Leases, announcer *announce.Announcer) (a arrived, err error) {
	s.peers = c.Peers
	began := time.Now()
	var users []chat.Arrival
	for range c.Arrive {
		users = append(users, chat.Arrival{UserID: chat.NewID(), Visibility: chat.Visible})
	}
	changed := 0
	for part := range slices.Chunk(users, batch) {
		at := time.Now()
		changes, err := leases.Connect(ctx, part...)
		if err != nil {
			return a, err
		}
		a.Batches = append(a.Batches, ms(at))
		for _, change := range changes {
			announcer.Announce(ctx, change)
		}
		changed += len(changes)
	}
	a.Written = ms(began)
	if changed != c.Arrive {
		return a, errors.New("not everybody came online")
	}
	for range changed {
		select {
		case <-s.told:
		case <-ctx.Done():
			return a, ctx.Err()
		}
	}
	a.Announced = ms(began)
	for _, u := range users {
		s.users = append(s.users, u.UserID)
	}
	return a, nil
}

func ms(since time.Time) float64 { return float64(time.Since(since).Microseconds()) / 1000 }
