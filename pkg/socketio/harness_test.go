package socketio

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"go.uber.org/goleak"
)

// patience bounds every wait of a test; none waits so long unless something is broken.
const patience = 10 * time.Second

// script is a Handler made of functions; those that are nil do nothing.
type script struct {
	authenticate func(context.Context, Handshake) (any, error)
	connected    func(context.Context, *Socket)
	event        func(context.Context, *Socket, Event)
	disconnected func(*Socket, string)
}

func (h *script) Authenticate(ctx context.Context, hs Handshake) (any, error) {
	if h.authenticate == nil {
		return nil, nil
	}
	return h.authenticate(ctx, hs)
}

func (h *script) Connected(ctx context.Context, s *Socket) {
	if h.connected != nil {
		h.connected(ctx, s)
	}
}

func (h *script) Event(ctx context.Context, s *Socket, e Event) {
	if h.event != nil {
		h.event(ctx, s, e)
	}
}

func (h *script) Disconnected(s *Socket, reason string) {
	if h.disconnected != nil {
		h.disconnected(s, reason)
	}
}

// rig is a server under test, on a loopback port. Its end checks that no goroutine is left.
type rig struct {
	t      testing.TB
	server *Server
	http   *httptest.Server
	client *http.Client
}

func newRig(t testing.TB, cfg Config, handlers map[string]Handler) *rig {
	t.Helper()
	before := goleak.IgnoreCurrent()
	if cfg.ShutdownPause == 0 {
		cfg.ShutdownPause = time.Millisecond
	}
	if cfg.DrainTimeout == 0 {
		cfg.DrainTimeout = 100 * time.Millisecond // for clients that are not there any more
	}
	r := &rig{t: t, server: New(cfg), client: &http.Client{Transport: &http.Transport{MaxConnsPerHost: 0}}}
	for name, h := range handlers {
		r.server.Namespace(name, h)
	}
	r.http = httptest.NewServer(r.server)
	t.Cleanup(func() {
		r.shutdown()
		r.client.CloseIdleConnections()
		r.http.Close()
		goleak.VerifyNone(t, before)
	})
	return r
}

// echoed is a handler that answers every event with the same, and acknowledges it with its args.
func echoed() *script {
	return &script{event: func(_ context.Context, s *Socket, e Event) {
		args := make([]any, len(e.Args))
		for i := range e.Args {
			args[i] = e.Args[i]
		}
		if e.WantsAck() {
			e.Ack(args...)
			return
		}
		_ = s.Emit(e.Name, args...)
	}}
}

func (r *rig) shutdown() {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := r.server.Shutdown(ctx); err != nil {
		r.t.Errorf("Shutdown: %v", err)
	}
}

func (r *rig) url(scheme, query string) string {
	return scheme + strings.TrimPrefix(r.http.URL, "http") + "/socket.io/?EIO=4&" + query
}

// metric reads a counter or gauge of the server.
func (r *rig) metric(m prometheus.Metric) float64 {
	r.t.Helper()
	var d dto.Metric
	if err := m.Write(&d); err != nil {
		r.t.Fatal(err)
	}
	return d.GetCounter().GetValue() + d.GetGauge().GetValue()
}

// eventually waits for what another goroutine brings about.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("never happened: %s", what)
		}
	}
}

// receive takes from a channel that something must be sent to.
func receive[T any](t testing.TB, what string, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		t.Fatalf("never came: %s", what)
		panic("unreachable")
	}
}

// peer is a client of either transport that speaks in Engine.IO packets, as text. Pings are
// answered under the hood.
type peer interface {
	send(packets ...string)
	// next returns the next packet that is no ping, or an error when the session is over.
	next() (string, error)
	close()
}

// wsPeer is a client over websocket.
type wsPeer struct {
	t    testing.TB
	conn *websocket.Conn
	sid  string
	mu   sync.Mutex
}

func (r *rig) dial(query string, header http.Header) (*websocket.Conn, *http.Response, error) {
	d := websocket.Dialer{HandshakeTimeout: patience}
	return d.Dial(r.url("ws", query), header)
}

func (r *rig) websocket() *wsPeer {
	r.t.Helper()
	conn, _, err := r.dial("transport=websocket", nil)
	if err != nil {
		r.t.Fatalf("dial: %v", err)
	}
	p := &wsPeer{t: r.t, conn: conn}
	p.sid = openSID(r.t, expect(r.t, p, "0{"))
	return p
}

func openSID(t testing.TB, open string) string {
	t.Helper()
	var o struct{ SID string }
	if err := json.Unmarshal([]byte(open[1:]), &o); err != nil || o.SID == "" {
		t.Fatalf("OPEN %q: %v", open, err)
	}
	return o.SID
}

func (p *wsPeer) send(packets ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, packet := range packets {
		// A failed write shows as a failed read.
		_ = p.conn.WriteMessage(websocket.TextMessage, []byte(packet))
	}
}

func (p *wsPeer) next() (string, error) {
	for {
		_ = p.conn.SetReadDeadline(time.Now().Add(patience))
		kind, data, err := p.conn.ReadMessage()
		if err != nil {
			return "", err
		}
		if kind == websocket.BinaryMessage {
			return "b" + string(data), nil
		}
		if string(data) == "2" {
			p.send("3")
			continue
		}
		return string(data), nil
	}
}

func (p *wsPeer) close() { _ = p.conn.Close() }

// pollPeer is a client over polling.
type pollPeer struct {
	r       *rig
	sid     string
	pending []string
	ctx     context.Context
	cancel  context.CancelFunc
}

func (r *rig) polling() *pollPeer {
	r.t.Helper()
	p := &pollPeer{r: r}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	r.t.Cleanup(p.cancel)
	status, body := r.request(http.MethodGet, "transport=polling", "")
	if status != http.StatusOK {
		r.t.Fatalf("handshake: %d %s", status, body)
	}
	p.sid = openSID(r.t, body)
	return p
}

// request makes one request of polling.
func (r *rig) request(method, query, body string) (int, string) {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	status, answer, err := r.requestContext(ctx, method, query, body)
	if err != nil {
		r.t.Fatalf("%s %s: %v", method, query, err)
	}
	return status, answer
}

func (r *rig) requestContext(ctx context.Context, method, query, body string) (int, string, error) {
	ctx, cancel := context.WithTimeout(ctx, 3*patience) // longer than there is no ping
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, r.url("http", query), strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	res, err := r.client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(res.Body)
	return res.StatusCode, string(answer), err
}

var errOver = errors.New("the session is over")

func (p *pollPeer) query() string { return "transport=polling&sid=" + p.sid }

func (p *pollPeer) send(packets ...string) {
	// A refused POST shows as a failed poll.
	_, _, _ = p.r.requestContext(p.ctx, http.MethodPost, p.query(), strings.Join(packets, "\x1e"))
}

// poll makes one GET.
func (p *pollPeer) poll() ([]string, error) {
	status, body, err := p.r.requestContext(p.ctx, http.MethodGet, p.query(), "")
	if err != nil {
		return nil, err
	}
	if status != http.StatusOK {
		return nil, errOver
	}
	return strings.Split(body, "\x1e"), nil
}

func (p *pollPeer) next() (string, error) {
	for {
		for len(p.pending) == 0 {
			packets, err := p.poll()
			if err != nil {
				return "", err
			}
			p.pending = packets
		}
		packet := p.pending[0]
		p.pending = p.pending[1:]
		switch packet {
		case "2":
			p.send("3")
		case "6":
		case "1":
			return "", errOver
		default:
			return packet, nil
		}
	}
}

func (p *pollPeer) close() { p.send("1"); p.cancel() }

// expect reads the next packet and requires how it begins.
func expect(t testing.TB, p peer, prefix string) string {
	t.Helper()
	packet, err := p.next()
	if err != nil {
		t.Fatalf("waiting for %q: %v", prefix, err)
	}
	if !strings.HasPrefix(packet, prefix) {
		t.Fatalf("got %q, want %q…", packet, prefix)
	}
	return packet
}

// expectEnd requires that nothing comes any more but the end, and returns the close code, if any.
func expectEnd(t testing.TB, p peer) int {
	t.Helper()
	packet, err := p.next()
	if err == nil {
		t.Fatalf("got %q, want the end", packet)
	}
	var closed *websocket.CloseError
	if errors.As(err, &closed) {
		return closed.Code
	}
	return 0
}

// overBoth runs a test over each transport.
func overBoth(t *testing.T, test func(t *testing.T, open func(*rig) peer)) {
	t.Run("websocket", func(t *testing.T) { test(t, func(r *rig) peer { return r.websocket() }) })
	t.Run("polling", func(t *testing.T) { test(t, func(r *rig) peer { return r.polling() }) })
}

// probe opens a websocket for the session and proves it. The client still has to let its poll return
// and to send "5".
func (p *pollPeer) probe() *wsPeer {
	p.r.t.Helper()
	conn, _, err := p.r.dial("transport=websocket&sid="+p.sid, nil)
	if err != nil {
		p.r.t.Fatalf("dial: %v", err)
	}
	ws := &wsPeer{t: p.r.t, conn: conn, sid: p.sid}
	ws.send("2probe")
	expect(p.r.t, ws, "3probe")
	return ws
}

// logLines is what a server logged.
type logLines struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logLines) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func (l *logLines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logLines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
