package cassandra

import (
	"context"
	"errors"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/store/storetest"
)

// proxy stands between the driver and Cassandra, to be cut or to fall silent.
type proxy struct {
	listener net.Listener
	target   string
	all      sync.WaitGroup

	mu     sync.Mutex // guards below
	cut    bool       // connections are closed as they come
	silent bool       // what is sent gets no answer
	open   map[net.Conn]bool
	lost   map[net.Conn]bool // these are silent for ever
	answer []byte            // instead of what the server says, once
}

func newProxy(t *testing.T, target string) *proxy {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: listener, target: target, open: map[net.Conn]bool{}, lost: map[net.Conn]bool{}}
	p.all.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			p.all.Go(func() { p.serve(conn) })
		}
	})
	t.Cleanup(func() {
		listener.Close()
		p.set(true, false)
		p.all.Wait()
	})
	return p
}

func (p *proxy) serve(client net.Conn) {
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		client.Close()
		return
	}
	p.mu.Lock()
	p.open[client], p.open[server] = true, true
	cut := p.cut
	p.mu.Unlock()
	if cut {
		client.Close()
		server.Close()
	}
	p.all.Go(func() { p.pass(server, client, false) })
	p.pass(client, server, true)
}

func (p *proxy) pass(to, from net.Conn, answers bool) {
	defer to.Close()
	defer from.Close()
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		if err != nil {
			return
		}
		p.mu.Lock()
		silent := p.silent || p.lost[from]
		said := buffer[:n]
		if answers && p.answer != nil {
			said, p.answer = p.answer, nil
		}
		p.mu.Unlock()
		if silent {
			continue
		}
		if _, err := to.Write(said); err != nil {
			return
		}
	}
}

func (p *proxy) set(cut, silent bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut, p.silent = cut, silent
	if cut {
		for conn := range p.open {
			conn.Close()
		}
		clear(p.open)
	}
}

// lose has the connections that are open now be silent for ever. New ones are not.
func (p *proxy) lose() {
	p.mu.Lock()
	defer p.mu.Unlock()
	maps.Copy(p.lost, p.open)
}

// proxied is the configuration of a store that knows Cassandra by a proxy alone.
func proxied(t *testing.T) (Config, *proxy) {
	t.Helper()
	cfg := migrated(t)
	if len(cfg.Hosts) > 1 {
		t.Skip("of a cluster the driver finds the other nodes, which are not behind the proxy")
	}
	p := newProxy(t, cfg.Hosts[0])
	cfg.Hosts = []string{p.listener.Addr().String()}
	return cfg, p
}

// A Cassandra that wakes up tells requests that have waited for too long so, without saying which: the number of the
// request is 0 in its answer. The driver closes the connection for it, and that is an absence like any other.
func TestOverloadedWithoutANumber(t *testing.T) {
	cfg, p := proxied(t)
	s := open(t, cfg)
	const text = "Query timed out before it could start"
	body := append([]byte{0, 0, 0x10, 0x01, 0, byte(len(text))}, text...) // Overloaded
	frame := append([]byte{0x84, 0, 0, 0, 0, 0, 0, 0, byte(len(body))}, body...)
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		p.mu.Lock()
		p.answer = frame
		p.mu.Unlock()
		_, err := s.Conversation(t.Context(), chat.NewID())
		if !errors.Is(err, chat.ErrUnavailable) && !errors.Is(err, chat.ErrNotFound) {
			t.Fatalf("got %v, want that the service is not available", err)
		}
		if err != nil && strings.Contains(err.Error(), text) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the answer without a number did not come: %v", err)
		}
	}
}

// Connections over a network that was cut may stay silent for long after it is back. They are given up, and new ones serve,
// also where little is asked.
func TestSilentConnectionsAreGivenUp(t *testing.T) {
	for name, asking := range map[string]int{"much is asked": 100, "little is asked": 1} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg, p := proxied(t)
			s := open(t, cfg)
			if err := s.Ping(t.Context()); err != nil {
				t.Fatal(err)
			}
			p.lose()
			lost := time.Now()
			var all sync.WaitGroup
			for range asking {
				all.Go(func() {
					for s.Ping(t.Context()) != nil && time.Since(lost) < time.Minute {
						time.Sleep(50 * time.Millisecond)
					}
				})
			}
			all.Wait()
			if took := time.Since(lost); took > silence+18*time.Second { // left to the driver, where little is asked, it takes 42 s
				t.Errorf("new connections would serve, and it took %v", took)
			} else {
				t.Logf("served again after %v", took)
			}
		})
	}
}

// While Cassandra is away every call says so, in bounded time; when it is back the same store goes on by itself.
func TestAway(t *testing.T) {
	cfg, p := proxied(t)
	cfg.Timeout = time.Second
	s := open(t, cfg)
	m := message(chat.NewID(), 1, "x")
	if err := s.PutMessages(t.Context(), []chat.StoredMessage{m}); err != nil {
		t.Fatal(err)
	}
	for name, away := range map[string]func(){
		"cut":    func() { p.set(true, false) },
		"silent": func() { p.set(false, true) },
	} {
		away()
		start := time.Now()
		for range 3 {
			if err := s.PutMessages(t.Context(), []chat.StoredMessage{m}); !errors.Is(err, chat.ErrUnavailable) {
				t.Errorf("%s: a write: %v", name, err)
			}
			if _, err := s.Messages(t.Context(), m.ConversationID, 0, 1); !errors.Is(err, chat.ErrUnavailable) {
				t.Errorf("%s: a read: %v", name, err)
			}
		}
		if took := time.Since(start); took > 15*time.Second {
			t.Errorf("%s: six calls took %v", name, took)
		}
		if _, err := Open(t.Context(), cfg); !errors.Is(err, chat.ErrUnavailable) {
			t.Errorf("%s: Open: %v", name, err)
		}
		p.set(true, false) // who was silent has died
		p.set(false, false)
		back := time.Now()
		for s.Ping(t.Context()) != nil {
			if time.Since(back) > 20*time.Second {
				t.Fatalf("%s: it does not come back", name)
			}
			time.Sleep(50 * time.Millisecond)
		}
		t.Logf("%s: back after %v", name, time.Since(back).Round(time.Millisecond))
	}
	if found, err := s.StoredByID(t.Context(), []chat.ID{m.ID}); err != nil || len(found) != 1 {
		t.Errorf("afterwards: %v, %v", found, err)
	}
}

// A caller's deadline is kept though Cassandra says nothing.
func TestDeadline(t *testing.T) {
	cfg, p := proxied(t)
	s := open(t, cfg)
	p.set(false, true)
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err := s.Heads(ctx, newIDs(1000))
	if !errors.Is(err, chat.ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("past the deadline: %v", err)
	}
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestClosed(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	cfg := migrated(t)
	cfg.Registerer = registry
	s := open(t, cfg)
	if _, err := s.Conversation(t.Context(), chat.NewID()); !errors.Is(err, chat.ErrNotFound) {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.PutMessages(t.Context(), []chat.StoredMessage{message(chat.NewID(), 1, "x")}); !errors.Is(err, chat.ErrUnavailable) {
		t.Errorf("a write: %v", err)
	}
	if _, err := s.Inbox(t.Context(), chat.NewID(), chat.InboxCursor{}, 1); !errors.Is(err, chat.ErrUnavailable) {
		t.Errorf("a read: %v", err)
	}
	families, err := registry.Gather()
	failures := slices.IndexFunc(families, func(f *dto.MetricFamily) bool { return f.GetName() == "dozaar_store_operation_failures_total" })
	if err != nil || failures < 0 {
		t.Fatal(families, err)
	}
	if n := len(families[failures].GetMetric()); n != 2 { // inbox, put_messages failed; not found is no failure
		t.Errorf("%d operations have failed", n)
	}
}

// What is overwritten a thousand times leaves nothing behind that a reader has to step over, and no cell is null.
func TestNoTombstones(t *testing.T) {
	cfg := migrated(t)
	s := open(t, cfg)
	user, other := chat.NewID(), chat.NewID()
	c := chat.Conversation{ID: chat.NewID(), Revision: 1, CreatedAt: time.UnixMilli(1),
		Members: []chat.Member{{UserID: user, Username: "ann"}, {UserID: other, Username: "bob"}}}
	if _, _, err := s.CreateConversation(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	var store storetest.Store = s
	for seq := int64(1); seq <= 200; seq++ {
		m := message(c.ID, seq, "")
		for _, err := range []error{
			store.PutMessages(t.Context(), []chat.StoredMessage{m}),
			store.PutReadMarks(t.Context(), []chat.ReadMark{{ConversationID: c.ID, UserID: user, Seq: seq}}),
			store.PutHeads(t.Context(), []chat.Head{head(m)}),
			store.PutInboxes(t.Context(), []chat.Head{head(m)}),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	for range 3 {
		if _, err := s.Inbox(t.Context(), user, chat.InboxCursor{}, 10); err != nil {
			t.Fatal(err)
		}
		if list, err := s.Messages(t.Context(), c.ID, 0, 1000); err != nil || len(list) != 200 {
			t.Fatal(len(list), err)
		}
	}
	iter := s.session.Query(`SELECT * FROM system_views.tombstones_per_read`).Iter()
	tables := 0
	for row := map[string]any{}; iter.MapScan(row); row = map[string]any{} {
		if row["keyspace_name"] != cfg.Keyspace || row["table_name"] == "migration_lock" {
			continue
		}
		tables++
		if most, ok := row["max"].(float64); !ok || most > 1 { // its histogram knows no 0
			t.Errorf("a read of %v met %v tombstones", row["table_name"], row["max"])
		}
	}
	if err := iter.Close(); err != nil || tables < 5 {
		t.Fatal(tables, err)
	}
	for _, table := range []string{"messages", "message_ids", "heads"} {
		iter := s.session.Query(`SELECT JSON * FROM ` + table).Iter()
		var text string
		for iter.Scan(&text) {
			if table == "messages" && len(text) < 200 || strings.Contains(text, ": null") {
				t.Fatalf("%s has a null: %s", table, text)
			}
		}
		if err := iter.Close(); err != nil || text == "" {
			t.Fatal(table, err)
		}
	}
}
