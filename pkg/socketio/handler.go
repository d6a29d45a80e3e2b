package socketio

import (
	"context"
	"encoding/json"
	"net/http"
	"net/netip"
	"net/url"
)

// Handshake is what a client brought when it asked to join a namespace.
type Handshake struct {
	Header     http.Header     // of the request that opened the connection; not to be changed
	Auth       json.RawMessage // the payload of CONNECT: a JSON object, or nil
	RemoteAddr string          // the peer's address and port as the HTTP server saw them: behind a proxy, the proxy's
	// Address is the client's, which behind Config.TrustedProxies is what they say. It is not valid where the
	// server has none, as on a Unix socket. No Socket keeps it: a Handler that needs it later puts it into what
	// Authenticate returns.
	Address netip.Addr
	Query   url.Values // of the request that opened the connection; never log it
}

// Handler is what happens to the sockets of one namespace. All calls for one connection come one at
// a time; those for different connections come at the same time. A call that panics ends its socket; one that ends
// its goroutine (runtime.Goexit, as t.FailNow does) ends the connection, with ReasonPanic too.
type Handler interface {
	// Authenticate decides whether a client may join, and as whom. A *Refusal is told to the client
	// as it is; any other error only as "not authorized". ctx ends with the connection. Without an error
	// Connected follows in every case, even if the client has gone meanwhile.
	Authenticate(ctx context.Context, h Handshake) (user any, err error)
	// Connected comes before the first Event of s. ctx ends with the socket.
	Connected(ctx context.Context, s *Socket)
	// Event is called for each event in the order in which the client sent them. ctx is Connected's.
	Event(ctx context.Context, s *Socket, e Event)
	// Disconnected comes once for each Connected, after the last Event has returned. reason is one of
	// the Reason constants or what was given to Close.
	Disconnected(s *Socket, reason string)
}

// Refusal is an error that Authenticate returns to say what the client's connect_error shall carry.
type Refusal struct {
	Message string
	Data    any // encoded as JSON; nil for none
}

func (r *Refusal) Error() string { return r.Message }

// Why a socket ended, as Disconnected and the closes metric tell it. Those that Socket.IO has a word
// for use its word.
const (
	ReasonClientDisconnect = "client namespace disconnect" // the client left the namespace
	ReasonTransportClose   = "transport close"             // the client closed the connection
	ReasonTransportError   = "transport error"             // the connection broke
	ReasonPingTimeout      = "ping timeout"                // a ping was not answered in time
	ReasonParseError       = "parse error"                 // the client broke the protocol
	ReasonBadText          = "invalid UTF-8"
	ReasonTooLarge         = "payload too large"    // a frame or request over MaxPayload, or MaxUnjoinedPayload
	ReasonConnectTimeout   = "connect timeout"      // joined no namespace in time
	ReasonCrowdedOut       = "crowded out"          // joined no namespace, and made room for another, see MaxUnjoined
	ReasonFlood            = "flood"                // more than Chatter of what is no event
	ReasonSlowClient       = "send buffer overflow" // more than SendBuffer waited for it
	ReasonShutdown         = "server shutting down"
	ReasonPanic            = "internal error" // a Handler panicked, or ended its goroutine
)
