package socketio

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
	"golang.org/x/time/rate"
)

// Server is an http.Handler that serves Socket.IO.
type Server struct {
	cfg      Config
	metrics  *metrics
	upgrader *websocket.Upgrader
	library  *library
	ping     frame
	buffers  sync.Pool  // of *[]byte: what connections read with
	chunks   sync.Pool  // of *[]byte: what small frames are gathered in
	writes   *sync.Pool // of *rawWrite, where there are such
	writers  []*writer
	newLayer func(*session) layer

	opening    atomic.Uint64
	newcomers  newcomers
	handshakes *rate.Limiter
	places     *places // nil: no limit per address

	namespaces map[string]*namespace // fixed once serving

	mu       sync.Mutex // guards what follows
	sessions map[string]*session
	draining bool
	serving  atomic.Bool
	idle     chan struct{} // closed when Shutdown has seen the last task end

	// tasks counts sessions and the goroutines that serve them. It grows from nothing only under mu
	// and while draining is false, so that Shutdown may wait for it.
	tasks sync.WaitGroup
}

type namespace struct {
	name    string
	handler Handler
}

// New returns a server without namespaces. It starts nothing.
func New(cfg Config) *Server {
	cfg = cfg.withDefaults()
	s := &Server{
		cfg:        cfg,
		metrics:    newMetrics(cfg.Registerer),
		ping:       textFrame(enginePing, nil),
		buffers:    sync.Pool{New: func() any { b := make([]byte, readBuffer); return &b }},
		chunks:     sync.Pool{New: func() any { b := make([]byte, 0, writeChunk); return &b }},
		writes:     newRawWrites(),
		namespaces: make(map[string]*namespace),
		sessions:   make(map[string]*session),
		idle:       make(chan struct{}),
	}
	for range runtime.GOMAXPROCS(0) {
		s.writers = append(s.writers, &writer{tasks: &s.tasks})
	}
	s.upgrader = newUpgrader(s)
	s.handshakes, s.places = cfg.Handshakes.limiter(), newPlaces(cfg.ConnectionsPerAddress)
	s.library = newLibrary(s)
	if cfg.Registerer != nil {
		cfg.Registerer.MustRegister(newUnsent(s))
	}
	s.newLayer = func(sess *session) layer { return &client{srv: s, sess: sess} }
	return s
}

// Namespace makes h serve a namespace, such as "/" or "/chat". It panics when called twice for one
// name, with a name that is none, or once the server has sessions: these are mistakes in the program.
func (s *Server) Namespace(name string, h Handler) {
	switch {
	case !validNamespace(name):
		panic(fmt.Sprintf("socketio: %q is no name for a namespace", name))
	case s.namespaces[name] != nil:
		panic(fmt.Sprintf("socketio: namespace %q is served already", name))
	case s.serving.Load():
		panic("socketio: Namespace called while serving")
	}
	ns := &namespace{name: name, handler: h}
	s.namespaces[name] = ns
	s.library.serve(ns)
}

func validNamespace(name string) bool {
	return strings.HasPrefix(name, "/") && !strings.ContainsAny(name, ",?") && len(name) <= maxNamespace
}

// Run serves until ctx ends and then shuts down within a minute. It is a convenience for programs
// that want no say in how long that takes; Shutdown alone does as well.
func (s *Server) Run(ctx context.Context) error {
	<-ctx.Done()
	bounded, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	return s.Shutdown(bounded)
}

// open starts a session. False when the server takes no more.
func (s *Server) open(sess *session) bool {
	s.serving.Store(true)
	s.mu.Lock()
	if s.draining {
		s.mu.Unlock()
		sess.cancel()
		s.places.leave(sess.place)
		return false
	}
	s.tasks.Add(1)
	s.mu.Unlock()

	sess.overlay = s.newLayer(sess)
	sess.mu.Lock()
	sess.startBeat()
	transport := sess.transportLocked()
	sess.mu.Unlock()
	s.metrics.opened(transport)

	s.mu.Lock()
	late := s.draining
	s.sessions[sess.id] = sess
	s.mu.Unlock()
	if late { // Shutdown may have counted the sessions without this one
		sess.abort(ReasonShutdown)
		return false
	}
	sess.overlay.begin()
	return true
}

// remove makes the server forget a session, a little later where a last poll is still owed its
// answer. Its share of tasks is given back by forget.
func (s *Server) remove(sess *session, transport string, owed bool) {
	s.metrics.closed(transport)
	s.places.leave(sess.place)
	drop := func() {
		s.mu.Lock()
		delete(s.sessions, sess.id)
		s.mu.Unlock()
	}
	if owed {
		time.AfterFunc(parting, drop)
		return
	}
	drop()
}

// nextWriter spreads the sessions over the writers.
func (s *Server) nextWriter() *writer {
	return s.writers[s.opening.Add(1)%uint64(len(s.writers))]
}

func (s *Server) forget() { s.tasks.Done() }

func (s *Server) session(sid string) *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sessions[sid]
}

func (s *Server) closing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.draining
}

// Stats is how many connections there are, by transport and altogether.
type Stats struct {
	Polling, WebSocket int
}

// Connections is the sum over the transports.
func (st Stats) Connections() int { return st.Polling + st.WebSocket }

// Stats counts the connections of this moment, those that belong to no namespace yet included.
func (s *Server) Stats() Stats { return s.metrics.stats() }
