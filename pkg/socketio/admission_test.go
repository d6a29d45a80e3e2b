package socketio

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
)

func prefixes(list ...string) []netip.Prefix {
	var all []netip.Prefix
	for _, text := range list {
		all = append(all, netip.MustParsePrefix(text))
	}
	return all
}

func TestClientAddress(t *testing.T) {
	trusted := prefixes("10.0.0.0/8", "127.0.0.1/32", "fd00::/8", "fe80::/10")
	long := strings.TrimSuffix(strings.Repeat("10.0.0.9, ", 10_000), ", ")
	for name, c := range map[string]struct {
		peer      string
		forwarded []string
		want      string
	}{
		"no proxy":                  {"192.0.2.1:5", nil, "192.0.2.1"},
		"a stranger's header":       {"192.0.2.1:5", []string{"198.51.100.7"}, "192.0.2.1"},
		"one proxy":                 {"10.0.0.1:5", []string{"198.51.100.7"}, "198.51.100.7"},
		"rightmost, not leftmost":   {"10.0.0.1:5", []string{"1.1.1.1, 2.2.2.2, 198.51.100.7"}, "198.51.100.7"},
		"two proxies":               {"127.0.0.1:5", []string{"1.1.1.1, 198.51.100.7,10.1.2.3"}, "198.51.100.7"},
		"a forged proxy":            {"10.0.0.1:5", []string{"10.9.9.9, 198.51.100.7"}, "198.51.100.7"},
		"lines are one list":        {"10.0.0.1:5", []string{"1.1.1.1", "198.51.100.7", "10.1.2.3"}, "198.51.100.7"},
		"a proxy's own request":     {"10.0.0.1:5", nil, "10.0.0.1"},
		"proxies all the way":       {"10.0.0.1:5", []string{"10.0.0.2, 10.0.0.3"}, "10.0.0.2"},
		"nothing in it":             {"10.0.0.1:5", []string{""}, "10.0.0.1"},
		"garbage at the right":      {"10.0.0.1:5", []string{"198.51.100.7, unknown"}, "10.0.0.1"},
		"garbage behind a proxy":    {"10.0.0.1:5", []string{"_hidden, 10.0.0.2"}, "10.0.0.2"},
		"a comma at the end":        {"10.0.0.1:5", []string{"198.51.100.7,"}, "10.0.0.1"},
		"with a port":               {"10.0.0.1:5", []string{"198.51.100.7:4711"}, "198.51.100.7"},
		"IPv6":                      {"[fd00::1]:5", []string{"2001:db8::7"}, "2001:db8::7"},
		"IPv6 with a port":          {"[fd00::1]:5", []string{"[2001:db8::7]:4711"}, "2001:db8::7"},
		"IPv4 in IPv6's clothes":    {"[::ffff:10.0.0.1]:5", []string{"::ffff:198.51.100.7"}, "198.51.100.7"},
		"a proxy with a zone":       {"[fe80::1%eth0]:5", []string{"198.51.100.7"}, "198.51.100.7"},
		"a zone of one's own":       {"10.0.0.1:5", []string{"2001:db8::7%a"}, "2001:db8::7"},
		"tabs and spaces":           {"10.0.0.1:5", []string{"\t 198.51.100.7 \t"}, "198.51.100.7"},
		"more hops than anyone has": {"10.0.0.1:5", []string{"198.51.100.7, " + long}, "10.0.0.9"},
		"a Unix socket":             {"@", []string{"198.51.100.7"}, "invalid IP"},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = c.peer
		r.Header["X-Forwarded-For"] = c.forwarded
		if got := clientAddress(r.RemoteAddr, r.Header, trusted); got.String() != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// FuzzForwardedFor lets a stranger write what they like in front of what a trusted proxy appends: they
// are counted as the address that the proxy saw.
func FuzzForwardedFor(f *testing.F) {
	f.Add("1.1.1.1", "198.51.100.7", false)
	f.Add("10.0.0.1, ::1, [::1]:80", "2001:db8::7", true)
	f.Add("unknown,,\t,%", "::ffff:203.0.113.9", true)
	f.Add(strings.Repeat(",", 100), "10.0.0.1:1", false)
	trusted := prefixes("10.0.0.0/8")
	f.Fuzz(func(t *testing.T, forged, seen string, line bool) {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.RemoteAddr = "10.0.0.1:1"
		r.Header["X-Forwarded-For"] = []string{forged}
		free := clientAddress(r.RemoteAddr, r.Header, trusted)
		if !free.IsValid() || free.Zone() != "" || free.Is4In6() {
			t.Fatalf("%q is %v", forged, free)
		}
		if p := subscriber(free); !p.IsValid() || !p.Contains(free) {
			t.Fatalf("%v belongs to %v", free, p)
		}
		hop, ok := parseHop(seen)
		if !ok || within(hop, trusted) {
			return
		}
		if r.Header["X-Forwarded-For"] = []string{forged + ", " + seen}; line {
			r.Header["X-Forwarded-For"] = []string{forged, seen}
		}
		if got := clientAddress(r.RemoteAddr, r.Header, trusted); got != hop {
			t.Fatalf("%q before %q is %v", forged, seen, got)
		}
	})
}

// handshake opens a polling session and returns the status and the session's id.
func (r *rig) handshake(header http.Header) (status int, sid string, retry string) {
	r.t.Helper()
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, r.url("http", "transport=polling"), nil)
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header = header
	res, err := r.client.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	if res.StatusCode == http.StatusOK {
		sid = openSID(r.t, string(body))
	}
	return res.StatusCode, sid, res.Header.Get("Retry-After")
}

func from(address string) http.Header { return http.Header{"X-Forwarded-For": {address}} }

func wantRetry(t *testing.T, after string) {
	t.Helper()
	if n, err := strconv.Atoi(after); err != nil || n < 1 || n > comeBack {
		t.Errorf("Retry-After %q", after)
	}
}

// TestHandshakeRate lets a burst in and the rest wait; sessions there are go on, and upgrade.
func TestHandshakeRate(t *testing.T) {
	r := newRig(t, Config{Handshakes: Rate{PerSecond: 1e-6, Burst: 3}}, one(echoed()))
	first := r.polling()
	join(t, first)
	if _, _, err := r.dial("transport=websocket", nil); err != nil {
		t.Fatal(err)
	}
	if status, _, _ := r.handshake(nil); status != http.StatusOK {
		t.Fatalf("third handshake: %d", status)
	}
	status, _, retry := r.handshake(nil)
	if status != http.StatusServiceUnavailable {
		t.Errorf("over the rate: %d", status)
	}
	wantRetry(t, retry)
	_, res, err := r.dial("transport=websocket", nil)
	if err == nil || res == nil || res.StatusCode != http.StatusServiceUnavailable {
		t.Fatalf("websocket over the rate: %v", err)
	}
	wantRetry(t, res.Header.Get("Retry-After"))
	if got := r.metric(r.server.metrics.refusals.WithLabelValues("handshake rate")); got != 2 {
		t.Errorf("%v refusals counted", got)
	}
	for _, want := range []struct {
		transport, result string
		n                 float64
	}{{"polling", "ok", 2}, {"websocket", "ok", 1}, {"polling", "refused", 1}, {"websocket", "refused", 1}} {
		if got := r.metric(r.server.metrics.shakes.WithLabelValues(want.transport, want.result)); got != want.n {
			t.Errorf("%v handshakes by %s counted as %s, want %v", got, want.transport, want.result, want.n)
		}
	}
	ws := first.probe()
	defer ws.close()
	for first.pending == nil { // the poll that was asked for ends
		if first.pending, err = first.poll(); err != nil {
			t.Fatal(err)
		}
	}
	ws.send("5", `42/chat,["still","here"]`)
	expect(t, ws, `42/chat,["still","here"]`)
}

// TestHandshakeRateRecovers is a refusal and no ban.
func TestHandshakeRateRecovers(t *testing.T) {
	r := newRig(t, Config{Handshakes: Rate{PerSecond: 20, Burst: 1}}, one(echoed()))
	refused := 0
	eventually(t, "refused, and let in again", func() bool {
		status, _, _ := r.handshake(nil)
		if status != http.StatusOK {
			refused++
		}
		return refused > 0 && status == http.StatusOK
	})
}

// TestConnectionsPerAddress counts clients behind a proxy by the address that it saw.
func TestConnectionsPerAddress(t *testing.T) {
	r := newRig(t, Config{ConnectionsPerAddress: 2, TrustedProxies: prefixes("127.0.0.0/8", "::1/128")}, one(echoed()))
	open := func(address string, want int) string {
		t.Helper()
		status, sid, retry := r.handshake(from(address))
		if status != want {
			t.Fatalf("%s: %d, want %d", address, status, want)
		}
		if status != http.StatusOK {
			wantRetry(t, retry)
		}
		return sid
	}
	sid := open("198.51.100.7", 200)
	open("1.1.1.1, 198.51.100.7", 200) // whatever they say they are
	open("2.2.2.2, 198.51.100.7", 429)
	_, res, err := r.dial("transport=websocket", from("198.51.100.7"))
	if err == nil || res == nil || res.StatusCode != http.StatusTooManyRequests {
		t.Fatalf("websocket: %v", err)
	}
	if got := r.metric(r.server.metrics.refusals.WithLabelValues("address")); got != 2 {
		t.Errorf("%v refusals counted", got)
	}
	open("198.51.100.8", 200) // their neighbour
	open("2001:db8:1:2::1", 200)
	open("2001:db8:1:2:ffff::9", 200)
	open("2001:db8:1:2:abcd::", 429) // all of a /64 are one
	open("2001:db8:1:3::1", 200)

	if status, _ := r.request(http.MethodPost, "transport=polling&sid="+sid, "1"); status != 200 {
		t.Fatalf("close: %d", status)
	}
	eventually(t, "the place is free again", func() bool { status, _, _ := r.handshake(from("198.51.100.7")); return status == 200 })
	r.shutdown()
	if !r.server.places.allLeft() {
		t.Errorf("still counted: %v", r.server.places.byAddress)
	}
}

// TestPlacesAreExact opens many at once, some of them in vain, and lets no more in than there are places.
func TestPlacesAreExact(t *testing.T) {
	const most, clients = 10, 40
	r := newRig(t, Config{ConnectionsPerAddress: most}, one(echoed()))
	var in, out atomic.Int32
	inParallel(clients, func() {
		if status, _, _ := r.handshake(nil); status == http.StatusOK {
			in.Add(1)
		} else {
			out.Add(1)
		}
	})
	if in.Load() != most || out.Load() != clients-most {
		t.Errorf("%d in, %d out", in.Load(), out.Load())
	}
	// A websocket handshake that fails leaves its place.
	r.shutdown()
	r2 := newRig(t, Config{ConnectionsPerAddress: 3}, one(echoed()))
	for range 3 {
		status, _ := r2.badUpgrade()
		if status != http.StatusBadRequest {
			t.Fatalf("a bad upgrade: %d", status)
		}
	}
	eventually(t, "no handshake that failed keeps its place", r2.server.places.allLeft) // after its answer
}

// allLeft says whether nobody is counted.
func (p *places) allLeft() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, at := range p.byAddress {
		if at.taken != 0 || at.left == nil {
			return false
		}
	}
	return p.left.Len() == len(p.byAddress)
}

// badUpgrade asks for a websocket without a key.
func (r *rig) badUpgrade() (int, error) {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, r.url("http", "transport=websocket"), nil)
	if err != nil {
		return 0, err
	}
	req.Header = http.Header{"Connection": {"Upgrade"}, "Upgrade": {"websocket"}, "Sec-Websocket-Version": {"13"}}
	res, err := r.client.Do(req)
	if err != nil {
		return 0, err
	}
	return res.StatusCode, res.Body.Close()
}

// TestConnectedFollows lets a client go while it is being authenticated: what Authenticate has counted,
// Disconnected can give back.
func TestConnectedFollows(t *testing.T) {
	entered, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	calls := make(chan string, 4)
	r := newRig(t, Config{}, one(&script{
		authenticate: func(context.Context, Handshake) (any, error) {
			once.Do(func() { close(entered) })
			<-release
			return "somebody", nil
		},
		connected:    func(context.Context, *Socket) { calls <- "connected" },
		disconnected: func(*Socket, string) { calls <- "disconnected" },
	}))
	p := r.websocket()
	p.send("40/chat,")
	receive(t, "Authenticate", entered)
	p.close()
	sess := r.server.session(p.sid)
	sess.abort(ReasonTransportError)
	close(release)
	for _, want := range []string{"connected", "disconnected"} {
		if got := receive(t, want, calls); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	eventually(t, "nothing is left", func() bool { return r.server.Stats().Connections() == 0 })
}

// TestAddress tells Authenticate who a client is, also when it joins another namespace, for which the header has
// been packed and unpacked.
func TestAddress(t *testing.T) {
	for _, c := range []struct {
		trusted, forwarded, want string
	}{
		{"127.0.0.0/8", "198.51.100.1, 203.0.113.7", "203.0.113.7"},
		{"10.0.0.0/8", "203.0.113.7", "127.0.0.1"},
	} {
		seen := make(chan Handshake, 1)
		h := &script{authenticate: func(_ context.Context, hs Handshake) (any, error) {
			seen <- hs
			return nil, nil
		}}
		r := newRig(t, Config{TrustedProxies: []netip.Prefix{netip.MustParsePrefix(c.trusted)}}, map[string]Handler{"/chat": h, "/": h})
		conn, _, err := r.dial("transport=websocket", from(c.forwarded))
		if err != nil {
			t.Fatal(err)
		}
		p := &wsPeer{t: t, conn: conn}
		expect(t, p, "0{")
		for _, connect := range []string{"40/chat,", "40"} {
			p.send(connect)
			hs := receive(t, "handshake", seen)
			if got := hs.Address.String(); got != c.want || !strings.HasPrefix(hs.RemoteAddr, "127.0.0.1:") {
				t.Errorf("%s of %s behind %s: %s by way of %s", connect, c.forwarded, c.trusted, got, hs.RemoteAddr)
			}
			expect(t, p, connect+"{")
		}
		p.close()
	}
}

// TestOverload lets nobody in while there is no room, and does no harm to who is there.
func TestOverload(t *testing.T) {
	var why atomic.Value
	why.Store("")
	r := newRig(t, Config{Overload: func() string { return why.Load().(string) }}, one(echoed()))
	first := r.websocket()
	join(t, first)
	why.Store("memory")
	status, _, retry := r.handshake(nil)
	if status != http.StatusServiceUnavailable {
		t.Errorf("polling: %d", status)
	}
	wantRetry(t, retry)
	if _, res, err := r.dial("transport=websocket", nil); err == nil || res == nil || res.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("websocket: %v", err)
	}
	if got := r.metric(r.server.metrics.refusals.WithLabelValues("memory")); got != 2 {
		t.Errorf("%v refusals counted", got)
	}
	first.send(`42/chat,["still","here"]`)
	expect(t, first, `42/chat,["still","here"]`)
	why.Store("")
	if status, _, _ := r.handshake(nil); status != http.StatusOK {
		t.Errorf("with room again: %d", status)
	}
}
