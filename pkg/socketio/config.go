package socketio

import (
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Config is what a Server can be told. The zero value of each field stands for its default.
type Config struct {
	// PingInterval and PingTimeout are the heartbeat: a client that does not answer a ping within
	// the timeout is gone. 25 s and 60 s.
	PingInterval time.Duration
	PingTimeout  time.Duration
	// ConnectTimeout closes a connection that belongs to no namespace for so long. 45 s.
	ConnectTimeout time.Duration
	// UpgradeTimeout is how long the change from polling to websocket may take. 10 s.
	UpgradeTimeout time.Duration
	// WriteTimeout is how long one write to a websocket may stand still. 30 s.
	WriteTimeout time.Duration
	// DrainTimeout is how long a closing connection may take to send what waits for it. 5 s.
	DrainTimeout time.Duration

	// MaxPayload bounds a websocket message and a polling request, in bytes. 256 KiB.
	MaxPayload int
	// MaxUnjoinedPayload bounds the same before a first namespace is joined, as long as who sends it is a stranger: it
	// has room for a CONNECT with a token, or a POST of several. 16 KiB, and never more than MaxPayload.
	MaxUnjoinedPayload int
	// MaxAttachments bounds the binary parts of one event; all of them together are bounded by
	// MaxPayload.
	//
	// The default, zero, REFUSES BINARY: an event with a Buffer, Blob or typed array anywhere in it ends its
	// connection with ReasonParseError. Sending Binary is not affected.
	MaxAttachments int
	// SendBuffer bounds what waits to be sent to one client, in bytes, each frame counting 64 more than it has.
	// 1 MiB. Past it the connection is cut with ReasonSlowClient, and send_overflows_total counts it.
	//
	// A packet that is larger by itself can be sent to nobody: it cuts the connection of a client that keeps up,
	// too. Such a client sees neither a close frame nor a kick, but "transport close" or "transport error",
	// and official ones connect again. So keep this well above the largest Packet.Size, attachments included.
	SendBuffer int

	// Handshakes bounds how fast connections may be opened, by everybody together; past it they are
	// answered 503 with Retry-After. An upgrade opens none. Zero is no limit.
	Handshakes Rate
	// Overload says why nobody new can be let in just now, "" if they can: past it handshakes are answered 503 with Retry-After.
	// It is asked at each handshake, and what it says is a label of refusals_total, so there are few such words. Nil: they always can.
	Overload func() string
	// MaxUnjoined bounds the connections that belong to no namespace, and so have not said who they are. Past it
	// the one that has been so for longest makes room for a new one: its connection ends with ReasonCrowdedOut (1013).
	// Whoever joins sooner than Handshakes lets as many others open connections is served. 10,000, of which each may
	// hold a header of 32 KiB and a part of a message of MaxUnjoinedPayload.
	MaxUnjoined int
	// ConnectionsPerAddress bounds the connections of one client address, a /64 of IPv6 being one, and how fast it
	// opens them: as many at once, and as many again within ten seconds (but one a second at least). Past either they
	// are answered 429 with Retry-After. Behind a proxy everybody has the proxy's address, unless TrustedProxies has it.
	//
	// Zero is no limit, and then one address alone can use up Handshakes, by which everybody else is answered 503 for as
	// long as it goes on. Set it wherever strangers connect, to more than the people behind one address need: a company
	// or a mobile network may be one.
	ConnectionsPerAddress int
	// TrustedProxies are the peers whose X-Forwarded-For is believed, here and for Handshake.Address.
	TrustedProxies []netip.Prefix

	// Chatter bounds what one connection may send that is neither an event nor a CONNECT: pings and pongs, NOOPs,
	// fragments of messages, DISCONNECTs, and events for a socket that is gone. Past it the connection ends with
	// ReasonFlood (1008). 5,000 a second, 10,000 at once.
	Chatter Rate

	// AllowOrigin decides on every request of a handshake, of polling and of an upgrade; false is
	// answered 403. Nil allows all, which with cookies is dangerous: see Origins above.
	AllowOrigin func(*http.Request) bool

	// ShutdownBatch sockets are closed at a time by Shutdown, ShutdownPause (give or take half)
	// apart; less apart where its context would end first. 250 and 100 ms.
	ShutdownBatch int
	ShutdownPause time.Duration
	// ShutdownOver is how long Shutdown takes to close what there is, in batches as small as that needs instead of
	// ShutdownBatch; at most half of what its context leaves. Zero: as fast as batches and pauses make it.
	ShutdownOver time.Duration
	// DisconnectOnShutdown makes Shutdown send a namespace DISCONNECT as Socket.Close does. Official
	// clients take that as a kick and do not come back by themselves; without it they see a lost
	// transport and reconnect, elsewhere.
	DisconnectOnShutdown bool

	Logger *slog.Logger // nil: silent
	// Registerer publishes the metrics, all called dozaar_socketio_…; nil keeps them to the server. New panics
	// where they are published there already: two servers of one process need a label each to tell them apart,
	// as by prometheus.WrapRegistererWith(prometheus.Labels{"server": "web"}, registry).
	Registerer prometheus.Registerer
}

func (c Config) withDefaults() Config {
	def := func(d *time.Duration, v time.Duration) {
		if *d <= 0 {
			*d = v
		}
	}
	def(&c.PingInterval, 25*time.Second)
	def(&c.PingTimeout, 60*time.Second)
	def(&c.ConnectTimeout, 45*time.Second)
	def(&c.UpgradeTimeout, 10*time.Second)
	def(&c.WriteTimeout, 30*time.Second)
	def(&c.DrainTimeout, 5*time.Second)
	def(&c.ShutdownPause, 100*time.Millisecond)
	if c.MaxUnjoined <= 0 {
		c.MaxUnjoined = 10_000
	}
	if c.MaxPayload <= 0 {
		c.MaxPayload = 256 << 10
	}
	if c.MaxUnjoinedPayload <= 0 {
		c.MaxUnjoinedPayload = 16 << 10
	}
	c.MaxUnjoinedPayload = min(c.MaxUnjoinedPayload, c.MaxPayload)
	if c.Chatter.PerSecond <= 0 {
		c.Chatter = Rate{PerSecond: 5000, Burst: 10_000}
	}
	if c.SendBuffer <= 0 {
		c.SendBuffer = 1 << 20
	}
	if c.ShutdownBatch <= 0 {
		c.ShutdownBatch = 250
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}
