package e2e

import (
	"fmt"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// TestFloods is row 17: each flood is answered with `rate_limited` and, when it goes on, with the end.
func TestFloods(t *testing.T) {
	p := hostile(t)
	w := p.witness()
	eve := newPerson("Eve")
	room := p.conversation(eve)
	in := `{"conversationId":"` + room + `"}`
	for _, flood := range []struct{ event, payload string }{
		{"send:message", `{"conversationId":"` + room + `","message":"x"}`},
		{"typing:start", in},
		{"typing:stop", in},
		{"join:conversation", in},
		{"leave:conversation", in},
		{"mark:read", `{"messageId":"` + eve.ID + `"}`},
		{"get:online_status", `{"userIds":["` + eve.ID + `"]}`},
		{"auth:refresh", `{"token":"x"}`},
		{"no:such:event", `{}`},
	} {
		t.Run(flood.event, func(t *testing.T) {
			local := *p
			local.t = t
			c := local.connect(eve)
			defer c.close()
			if answer := c.ask("join:conversation", in); !answer.OK {
				t.Fatalf("%+v", answer)
			}
			packet := []byte(fmt.Sprintf(`42/chat,[%q,%s]`, flood.event, flood.payload))
			sent := make(chan struct{})
			go func() {
				defer close(sent)
				for range 100_000 {
					if c.conn.WriteMessage(websocket.TextMessage, packet) != nil {
						return
					}
				}
				t.Error("the whole flood was taken")
			}()
			w.t, w.p = t, &local
			w.served("in a flood")
			limited, kicked := false, false
			for {
				packet, err := c.next()
				if err != nil {
					if !websocket.IsCloseError(err, websocket.CloseNormalClosure) {
						t.Errorf("ended with %v", err)
					}
					break
				}
				limited = limited || strings.HasPrefix(packet, `42/chat,["exception",`) && strings.Contains(packet, `"code":"rate_limited"`)
				kicked = packet == "41/chat,"
			}
			c.close()
			<-sent
			if !limited || !kicked {
				t.Errorf("told of the rate: %v; sent away: %v", limited, kicked)
			}
			w.unharmed("after the flood")
		})
	}
	w.t = t
}

// TestConnectionsOfOne is row 16: ten thousand tries of one user and of one address get no more than
// their share, while somebody else is served as ever.
func TestConnectionsOfOne(t *testing.T) {
	const perUser, perAddress, tries = 40, 60, 10_000
	p := hostile(t, fmt.Sprint("DOZAAR_SOCKETS_PER_USER=", perUser), fmt.Sprint("DOZAAR_CONNECTIONS_PER_ADDRESS=", perAddress),
		"DOZAAR_TRUSTED_PROXIES=127.0.0.1", "DOZAAR_RATE_HANDSHAKES=100000/s:100000", "DOZAAR_RATE_TYPING=100000/s:100000",
		"DOZAAR_CONNECT_TIMEOUT=5m") // those that hold an address's places never say who they are
	w := p.witness()
	quiet := w.p99(500, func() bool { return false })

	// One user, from everywhere.
	eve := newPerson("Eve")
	var held []*peer
	for i := range perUser + 10 {
		c, _, err := p.dialAs(http.Header{"X-Forwarded-For": {fmt.Sprintf("203.0.113.%d", i)}})
		if err != nil {
			t.Fatal(err)
		}
		c.send(eve.connectPacket())
		packet, err := c.next()
		if err != nil {
			t.Fatal(err)
		}
		if refused := strings.HasPrefix(packet, "44/chat,") && strings.Contains(packet, `"code":"rate_limited"`); refused != (i >= perUser) {
			t.Fatalf("socket %d of one user: %s", i, packet)
		}
		held = append(held, c)
	}
	for _, c := range held {
		c.close()
	}
	w.unharmed("one user")

	// One address (the last that a proxy saw, whatever they say), by every user.
	held = nil
	for range perAddress {
		c, _, err := p.dialAs(http.Header{"X-Forwarded-For": {newPerson("x").ID + ", 198.51.100.7"}})
		if err != nil {
			t.Fatalf("connection %d of one address: %v", len(held), err)
		}
		held = append(held, c)
	}
	var wg sync.WaitGroup
	storm := make(chan struct{})
	for worker := range 4 {
		wg.Go(func() {
			client := http.Client{Timeout: patience, Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			for i := range tries / 4 {
				req, _ := http.NewRequest(http.MethodGet, "http://"+p.listen+"/socket.io/?EIO=4&transport=polling", nil)
				req.Header.Set("X-Forwarded-For", fmt.Sprintf("192.0.2.%d, 198.51.100.7", (worker+i)%256))
				res, err := client.Do(req)
				if err != nil {
					t.Error(err)
					return
				}
				_ = res.Body.Close()
				if _, err := strconv.Atoi(res.Header.Get("Retry-After")); res.StatusCode != http.StatusTooManyRequests || err != nil {
					t.Errorf("past the limit: %d, Retry-After %q", res.StatusCode, res.Header.Get("Retry-After"))
					return
				}
			}
		})
	}
	go func() { wg.Wait(); close(storm) }()
	loud := w.p99(500, func() bool {
		select {
		case <-storm:
			return false
		default:
			return true
		}
	})
	<-storm
	if _, res, err := p.dialAs(http.Header{"X-Forwarded-For": {"198.51.100.7"}}); err == nil || res == nil || res.StatusCode != http.StatusTooManyRequests {
		t.Errorf("a websocket past the limit: %v", err)
	}
	if got := p.metric(refusalsTotal("address")); got != tries+1 {
		t.Errorf("%v refusals were counted, want %d", got, tries+1)
	}
	t.Logf("another client's p99: %v in a quiet moment, %v in the storm", quiet, loud)
	// The storm and the client that measures have the same two cores, so small numbers say little.
	if loud > max(2*quiet, 50*time.Millisecond) {
		t.Errorf("another client's p99 is %v, was %v", loud, quiet)
	}
	for _, c := range held {
		c.close()
	}
	w.unharmed("one address")
	c, _, err := p.dialAs(http.Header{"X-Forwarded-For": {"198.51.100.7"}}) // refused, never banned
	if err != nil {
		t.Fatal(err)
	}
	c.close()
}

func isMessage(packet string) bool { return strings.HasPrefix(packet, `42/chat,["new:message",`) }

// p99 is how long the witness waits for an answer: of at least so many, and as long as more says so.
func (w *witness) p99(least int, more func() bool) time.Duration {
	w.t.Helper()
	var took []time.Duration
	for len(took) < least || more() {
		start := time.Now()
		if answer := w.ask("typing:stop", `{}`); answer.Code != "invalid" {
			w.t.Fatalf("%+v", answer)
		}
		took = append(took, time.Since(start))
		time.Sleep(time.Millisecond)
	}
	slices.Sort(took)
	return took[len(took)*99/100]
}

// TestConnectStorm is the rest of row 16: connects of everybody together are let in at their rate, and
// turned away past it; who is connected is served as ever.
func TestConnectStorm(t *testing.T) {
	const perSecond, burst, tries = 50, 100, 2_000
	p := hostile(t, fmt.Sprintf("DOZAAR_RATE_HANDSHAKES=%d/s:%d", perSecond, burst))
	w := p.witness()
	start := time.Now()
	in := 0
	for range tries {
		req, err := http.NewRequest(http.MethodGet, "http://"+p.listen+"/socket.io/?EIO=4&transport=polling", nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		switch {
		case res.StatusCode == http.StatusOK:
			in++
		case res.StatusCode != http.StatusServiceUnavailable || res.Header.Get("Retry-After") == "":
			t.Fatalf("in a storm: %d, Retry-After %q", res.StatusCode, res.Header.Get("Retry-After"))
		}
	}
	most := burst + int(time.Since(start).Seconds()*perSecond) + 1
	if in < burst-1 || in > most {
		t.Errorf("%d were let in, want %d to %d", in, burst-1, most)
	}
	w.served("in the storm")
	if got := p.metric(refusalsTotal("handshake rate")); int(got) != tries-in {
		t.Errorf("%v refusals were counted, want %d", got, tries-in)
	}
	http.DefaultClient.CloseIdleConnections()
	w.unharmed("after the storm") // those let in never said who they are
	c, _, err := p.dialAs(nil)    // refused, never banned
	if err != nil {
		t.Fatal(err)
	}
	c.close()
}

// TestSlowReader is row 22: a client that stops reading costs a bounded buffer, is disconnected, and has
// everything once it comes back.
func TestSlowReader(t *testing.T) {
	p := hostile(t, "DOZAAR_SOCKET_BUFFER=256KiB", "DOZAAR_RATE_MESSAGES=100000/s:100000")
	w := p.witness()
	bea, sam := newPerson("Bea"), newPerson("Sam")
	room := p.conversation(bea, sam)
	join := `{"conversationId":"` + room + `","afterSeq":0}`
	slow, sender := p.connect(sam), p.connect(bea)
	defer slow.close()
	defer sender.close()
	if err := slow.conn.NetConn().(*net.TCPConn).SetReadBuffer(4 << 10); err != nil {
		t.Fatal(err)
	}
	slow.send(`42/chat,["join:conversation",` + join + `]`) // and reads no more
	if answer := sender.ask("join:conversation", join); !answer.OK {
		t.Fatalf("%+v", answer)
	}
	overflow := closesTotal("send buffer overflow")
	message := `{"conversationId":"` + room + `","message":"` + strings.Repeat("😀", 10_000) + `"}`
	sent := 0
	for ; p.metric(overflow) == 0; sent++ {
		if sent > 900 { // as many as are replayed at once
			t.Fatal("the client that does not read was never disconnected")
		}
		start := time.Now()
		if answer := sender.ask("send:message", message); !answer.OK {
			t.Fatalf("%+v", answer)
		}
		for !slices.ContainsFunc(sender.log, isMessage) { // many at once would be too much for the sender's own buffer
			if _, err := sender.next(); err != nil {
				t.Fatal(err)
			}
		}
		sender.log = nil
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("message %d took its sender %v", sent, took)
		}
	}
	w.served("beside a client that does not read")
	if got := p.metric(overflow); got != 1 {
		t.Errorf("%v sockets were closed, want only the one that does not read", got)
	}
	t.Logf("disconnected after %d messages of 40 KB", sent)
	slow.close()

	back := p.connect(sam)
	defer back.close()
	back.send(`42/chat,["join:conversation",` + join + `]`)
	for seq := 1; seq <= sent; seq++ {
		if got := back.until(`42/chat,["new:message",`); !strings.Contains(got, fmt.Sprintf(`"seq":%d,`, seq)) {
			t.Fatalf("message %d after coming back: %.200s", seq, got)
		}
		back.log = nil
	}
	back.close()
	sender.close()
	w.unharmed("after it")
}
