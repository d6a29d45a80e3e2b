package socketio

import (
	"io"
	"net/http"
	"net/url"
	"sync"
	"sync/atomic"
	"time"

	enginepacket "github.com/zishang520/socket.io/parsers/engine/v3/packet"
	"github.com/zishang520/socket.io/servers/engine/v3"
	"github.com/zishang520/socket.io/servers/engine/v3/transports"
	libsocket "github.com/zishang520/socket.io/servers/socket/v3"
	"github.com/zishang520/socket.io/v3/pkg/types"
)

// library is the Socket.IO server underneath: it owns namespaces and the CONNECT exchange. It is
// bound to our sessions as to an Engine.IO server of its own. Only packets that are checked reach it,
// and none but CONNECT; everything else it would do on goroutines of its own, out of order.
type library struct {
	srv    *Server
	io     *libsocket.Server
	engine engine.BaseServer
	// request stands for the handshake of every connection: the library copies what it is given for
	// each socket, and nobody here asks it for it.
	request *types.HttpContext

	mu     sync.Mutex // guards what follows
	spare  []*libraryConn
	closed bool
}

// maxSpare is how many connections are kept for the next CONNECT: more than are ever under way at once,
// unless handlers take their time to authenticate.
const maxSpare = 64

// never is longer than any connection waits: deadlines are kept by client.
const never = 100 * 365 * 24 * time.Hour

func newLibrary(srv *Server) *library {
	opts := libsocket.DefaultServerOptions()
	opts.SetServeClient(false)
	opts.SetConnectTimeout(never)
	opts.SetAdapter(noRooms{})
	l := &library{srv: srv, io: libsocket.NewServer(nil, opts), engine: engine.MakeBaseServer()}
	l.io.Bind(l.engine)
	l.request = types.NewHttpContext(silent{}, &http.Request{Method: http.MethodGet, URL: &url.URL{}, Header: http.Header{}})
	l.request.Flush()
	return l
}

// serve lets clients into a namespace as far as its handler does.
func (l *library) serve(ns *namespace) {
	n := l.io.Of(ns.name, nil)
	n.Use(func(s *libsocket.Socket, next func(*libsocket.ExtendedError)) {
		c := s.Conn().(*libraryConn).client
		if refusal := c.authenticate(ns); refusal != nil {
			c.joining.refusal = refusal
			next(libsocket.NewExtendedError("", nil))
			return
		}
		next(nil)
	})
	_ = n.On("connection", func(args ...any) {
		s := args[0].(*libsocket.Socket)
		j := s.Conn().(*libraryConn).client.joining
		j.socket = s
		close(j.answered)
	})
}

func (l *library) close() {
	l.mu.Lock()
	spare := l.spare
	l.spare, l.closed = nil, true
	l.mu.Unlock()
	for _, conn := range spare {
		conn.close()
	}
	l.io.Close(nil)
}

// attach lends a client one of the library's connections, for as long as it takes to join a namespace.
// What the library keeps of a connection would be half the memory of an idle one, and making it anew
// for each CONNECT a fifth of what that costs.
func (l *library) attach(c *client) *libraryConn {
	l.mu.Lock()
	if last := len(l.spare) - 1; last >= 0 {
		conn := l.spare[last]
		l.spare = l.spare[:last]
		l.mu.Unlock()
		conn.client = c
		return conn
	}
	l.mu.Unlock()
	conn := &libraryConn{EventEmitter: types.NewEventEmitter(), library: l, client: c}
	l.engine.Emit("connection", conn)
	return conn
}

// release takes a connection back and makes the library forget the socket that came of it, if any.
func (l *library) release(conn *libraryConn, s *libsocket.Socket) {
	if s != nil {
		conn.closed.Store(true) // so that nothing is sent of it
		s.Disconnect(false)
		conn.closed.Store(false)
	}
	conn.client = nil
	l.mu.Lock()
	keep := !l.closed && len(l.spare) < maxSpare && !conn.spoiled.Load()
	if keep {
		l.spare = append(l.spare, conn)
	}
	l.mu.Unlock()
	if !keep {
		conn.close()
	}
}

// libraryConn is a session in the shape in which the library takes a connection.
type libraryConn struct {
	types.EventEmitter
	library *library
	client  *client // that it is lent to
	closed  atomic.Bool
	spoiled atomic.Bool // the library has given it up
}

// connect passes a CONNECT on. Its payload stays here: authenticate reads it.
func (c *libraryConn) connect(namespace string) {
	text := "0"
	if namespace != "/" {
		text += namespace + ","
	}
	c.Emit("data", types.NewStringBufferString(text))
}

// Write takes the library's answer to a CONNECT. The library has nothing else to say: DISCONNECT is
// sent by client.kick.
func (c *libraryConn) Write(data io.Reader, _ *enginepacket.Options, _ engine.SendCallback) engine.Socket {
	buffer, ok := data.(types.BufferInterface)
	if !ok || buffer.Len() == 0 {
		return c
	}
	switch text := buffer.Bytes(); text[0] {
	case typeConnect:
		c.client.admit()
		c.client.sess.send(textFrame(engineMessage, text))
	case typeConnectError:
		j := c.client.joining
		if j.refusal != nil { // the library knows only that there is one
			text = j.refusal
		}
		c.client.sess.send(textFrame(engineMessage, text))
		close(j.answered)
	}
	return c
}

// close makes the library forget the connection.
func (c *libraryConn) close() {
	c.closed.Store(true)
	c.Emit("close", "")
	c.Clear()
}

func (c *libraryConn) Id() string                      { return "" } //nolint:revive,staticcheck // the library's name for it
func (c *libraryConn) Protocol() int                   { return 4 }
func (c *libraryConn) Request() *types.HttpContext     { return c.library.request }
func (c *libraryConn) RemoteAddress() string           { return c.client.sess.remote }
func (c *libraryConn) Transport() transports.Transport { return nil }
func (c *libraryConn) SetReadyState(string)            {}
func (c *libraryConn) Upgraded() bool                  { return false }
func (c *libraryConn) Upgrading() bool                 { return false }

// ReadyState stays open until close, whatever the session does meanwhile, so that the library
// answers every CONNECT.
func (c *libraryConn) ReadyState() string {
	if c.closed.Load() {
		return "closed"
	}
	return "open"
}

func (c *libraryConn) Send(data io.Reader, o *enginepacket.Options, f engine.SendCallback) engine.Socket {
	return c.Write(data, o, f)
}

// Close is called by the library where a client does what client.message has not let through.
func (c *libraryConn) Close(bool) {
	c.spoiled.Store(true)
	c.client.sess.abort(ReasonParseError)
}

func (c *libraryConn) Construct(string, engine.BaseServer, transports.Transport, *types.HttpContext, int) {
}
func (c *libraryConn) MaybeUpgrade(transports.Transport) {}

// noRooms is an adapter that keeps no rooms: sends go to sockets, not through the library.
type noRooms struct{}

func (noRooms) New(n libsocket.Namespace) libsocket.Adapter {
	return &noRoomsAdapter{Adapter: libsocket.NewAdapter(n)}
}

type noRoomsAdapter struct{ libsocket.Adapter }

func (*noRoomsAdapter) AddAll(libsocket.SocketId, *types.Set[libsocket.Room]) {}
func (*noRoomsAdapter) DelAll(libsocket.SocketId)                             {}

// silent is a ResponseWriter that nobody reads.
type silent struct{}

func (silent) Header() http.Header         { return http.Header{} }
func (silent) Write(p []byte) (int, error) { return len(p), nil }
func (silent) WriteHeader(int)             {}
