package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"sync"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// sentinels finds the master, and cuts the connections to one that is not the master any more.
//
// The library has a client for Sentinel. It asks one Sentinel and stays with it: when that one is gone without a
// word (its host lost power, and often the master with it), each dial waits for it until the dial's time is over,
// and no other one is ever asked. A Sentinel that comes back with an old view is believed. So here all are asked
// at once, and the newest view counts.
type sentinels struct {
	name   string
	quorum int
	nodes  []*goredis.Client
	dialer net.Dialer
	tls    *tls.Config
	log    *slog.Logger

	looking chan struct{} // held by whoever asks: an older view must not come after a newer one. Taken before mu

	mu     sync.Mutex
	master string              // guarded by mu; empty: not known yet
	open   map[*masterConn]any // guarded by mu; all connections to the master
	looked time.Time           // guarded by mu; when the Sentinels were last asked
	busy   bool                // guarded by mu; somebody asks beside the commands
	closed bool                // guarded by mu
	asking sync.WaitGroup      // added to under mu while not closed
}

const (
	askTimeout = 700 * time.Millisecond
	lookEvery  = time.Second
)

var (
	errNoSentinel = errors.New("redis: no Sentinel knows the master")
	errMoved      = errors.New("redis: the master has changed")
)

func newSentinels(cfg Config) *sentinels {
	s := &sentinels{
		name:   cfg.MasterName,
		quorum: len(cfg.Addrs)/2 + 1,
		dialer: net.Dialer{Timeout: dialTimeout, KeepAlive: time.Minute},
		tls:    cfg.TLS,
		log:    cfg.Logger,
		open:   map[*masterConn]any{},

		looking: make(chan struct{}, 1),
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	for _, addr := range cfg.Addrs {
		opts := baseOptions(cfg)
		opts.Addr, opts.DB, opts.PoolSize, opts.MaxRetries = addr, 0, 4, -1
		opts.Username, opts.Password = cfg.SentinelUsername, cfg.SentinelPassword
		opts.DialTimeout, opts.ReadTimeout, opts.WriteTimeout, opts.PoolTimeout = askTimeout, askTimeout, askTimeout, askTimeout
		s.nodes = append(s.nodes, goredis.NewClient(opts))
	}
	return s
}

// dial connects to the master, wherever it is now.
func (s *sentinels) dial(ctx context.Context, network, _ string) (net.Conn, error) {
	addr, err := s.look(ctx)
	if err != nil {
		return nil, &net.OpError{Op: "dial", Net: network, Err: err}
	}
	raw, err := s.dialer.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	conn, err := s.track(raw.(*net.TCPConn), addr)
	if err != nil {
		_ = raw.Close()
		return nil, &net.OpError{Op: "dial", Net: network, Err: err} // which is tried again
	}
	if s.tls == nil {
		return conn, nil
	}
	cfg := s.tls.Clone()
	if cfg.ServerName == "" {
		cfg.ServerName, _, _ = net.SplitHostPort(addr)
	}
	secured := tls.Client(conn, cfg)
	if err := secured.HandshakeContext(ctx); err != nil {
		_ = conn.Close()
		return nil, err
	}
	return secured, nil
}

// notice is told of every command. The Sentinels are asked, beside the commands, when one was not served, and
// once a second in any case: a master that was replaced may go on answering.
func (s *sentinels) notice(served bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.busy || served && time.Since(s.looked) < lookEvery {
		return
	}
	s.busy = true
	s.asking.Go(func() {
		_, err := s.look(context.Background())
		if err != nil {
			s.log.Warn("redis: the master is not known", "error", err)
		}
		s.mu.Lock()
		s.busy = false
		s.mu.Unlock()
	})
}

// look asks the Sentinels where the master is. If it is another one than before, the connections to all others
// are cut, so that whoever waits on one goes on at the new master.
func (s *sentinels) look(ctx context.Context) (string, error) {
	wanted := time.Now()
	select {
	case s.looking <- struct{}{}:
		defer func() { <-s.looking }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	if addr, fresh := s.found(wanted); fresh {
		return addr, nil // another dial has asked meanwhile
	}
	asked := time.Now()
	addr, err := s.ask(ctx)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.looked = time.Time{}
		return "", err
	}
	s.looked = asked
	if s.master != addr {
		if s.master != "" {
			s.log.Warn("redis: the master has changed", "from", s.master, "to", addr)
		}
		s.master = addr
		for conn := range s.open {
			if conn.addr != addr {
				_ = conn.TCPConn.Close()
				delete(s.open, conn)
			}
		}
	}
	return addr, nil
}

// found answers the master if it was asked for after wanted.
func (s *sentinels) found(wanted time.Time) (addr string, fresh bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.master, s.looked.After(wanted)
}

// ask waits for a majority of the Sentinels, and for the others only where that is not to be had.
func (s *sentinels) ask(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	views := make(chan view, len(s.nodes))
	var asked sync.WaitGroup
	defer asked.Wait()
	defer cancel()
	for _, node := range s.nodes {
		asked.Go(func() { views <- s.askOne(ctx, node) })
	}
	var best view
	failed, answered := errNoSentinel, 0
	for range s.nodes {
		v := <-views
		if v.err != nil {
			failed = fmt.Errorf("%w: %w", errNoSentinel, v.err)
			continue
		}
		if answered == 0 || v.epoch > best.epoch {
			best = v
		}
		if answered++; answered == s.quorum {
			break
		}
	}
	if answered == 0 {
		return "", failed
	}
	return best.addr, nil
}

// view is what one Sentinel says.
type view struct {
	addr  string
	epoch int64 // grows with every failover
	err   error
}

func (s *sentinels) askOne(ctx context.Context, node *goredis.Client) view {
	pipe := node.Pipeline()
	addr := pipe.Do(ctx, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", s.name)
	state := goredis.NewMapStringStringCmd(ctx, "SENTINEL", "MASTER", s.name)
	_ = pipe.Process(ctx, state)
	if _, err := pipe.Exec(ctx); err != nil {
		return view{err: err}
	}
	parts, err := addr.StringSlice()
	if err != nil || len(parts) != 2 {
		return view{err: fmt.Errorf("a Sentinel answered %v: %w", parts, err)}
	}
	epoch, err := strconv.ParseInt(state.Val()["config-epoch"], 10, 64)
	return view{addr: net.JoinHostPort(parts[0], parts[1]), epoch: epoch, err: err}
}

// masterConn is a connection that is known to its sentinels until it is closed.
type masterConn struct {
	*net.TCPConn // the library looks at its socket

	addr string
	of   *sentinels
}

func (s *sentinels) track(raw *net.TCPConn, addr string) (*masterConn, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.master != addr || s.closed {
		return nil, errMoved
	}
	conn := &masterConn{raw, addr, s}
	s.open[conn] = nil
	return conn, nil
}

// Close implements net.Conn.
func (c *masterConn) Close() error {
	c.of.mu.Lock()
	delete(c.of.open, c)
	c.of.mu.Unlock()
	return c.TCPConn.Close()
}

func (s *sentinels) close() {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	for _, node := range s.nodes {
		_ = node.Close()
	}
	s.asking.Wait()
}

// sentinelClient is a client of the master that takes its sentinels with it.
type sentinelClient struct {
	*goredis.Client

	sentinels *sentinels
}

func (c sentinelClient) Close() error {
	defer c.sentinels.close()
	return c.Client.Close()
}
