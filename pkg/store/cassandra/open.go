package cassandra

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/gocql/gocql"
	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/store"
)

// Store is a session with a cluster. Its methods may be called concurrently; storetest.Store has their contracts.
type Store struct {
	session     *gocql.Session
	operations  *store.Operations
	concurrency int
	wideAbove   int
	quorum      gocql.Consistency            // of every request
	serial      gocql.Consistency            // of reads that must see what a lightweight transaction is deciding
	authors     *lru.Cache[author, struct{}] // rows that are there
	wide        *lru.Cache[chat.ID, dated]   // conversations of many, as Peers has read them
	wideAge     time.Duration
}

// Open connects and checks that the tables are there. An error wraps ErrSchema where they are not, ErrDamaged where
// they are no longer whole, ErrReplicas where no quorum could answer, ErrDatacenter where it is not clear whose quorum counts,
// ErrRefused where the cluster does not let us in, and chat.ErrUnavailable where it does not answer; a newer schema than this
// program knows is good enough.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	cfg = cfg.withDefaults()
	s, err := newStore(cfg)
	if err != nil {
		return nil, err
	}
	version, err := checkSchema(ctx, cfg)
	if err != nil {
		return nil, classify(ctx, "open", err)
	}
	if s.session, err = connect(ctx, cfg, cfg.Keyspace, cfg.ours()); err != nil {
		return nil, classify(ctx, "open", err)
	}
	for _, err := range unresolved(ctx, cfg.Hosts) {
		cfg.Logger.WarnContext(ctx, "a host of Cassandra's is not known; the others do without it", "error", err)
	}
	cfg.Logger.InfoContext(ctx, "store opened", "keyspace", cfg.Keyspace, "schema", version, "consistency", cfg.Consistency)
	return s, nil
}

// newStore has no session yet.
func newStore(cfg Config) (*Store, error) {
	operations, err := store.NewOperations(cfg.Registerer)
	authors, err2 := lru.New[author, struct{}](rememberedAuthors)
	wide, err3 := lru.New[chat.ID, dated](rememberedWide)
	if err := errors.Join(err, err2, err3); err != nil {
		return nil, err
	}
	level := consistencies[cfg.Consistency]
	return &Store{
		operations: operations, concurrency: cfg.Concurrency, wideAbove: cfg.WideAbove,
		quorum: level.level, serial: gocql.Consistency(level.serial), authors: authors, wide: wide, wideAge: cfg.WideAge,
	}, nil
}

// connect opens a session, whose requests go to no other nodes than only takes, where that is given. The driver takes no
// context: a caller who gives up leaves it behind until its timeouts end it.
func connect(ctx context.Context, cfg Config, keyspace string, only func(*gocql.HostInfo) bool) (*gocql.Session, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	cluster, err := cfg.cluster(keyspace)
	if err != nil {
		return nil, err
	}
	if only != nil {
		cluster.PoolConfig.HostSelectionPolicy = tokenAware(chosen{gocql.RoundRobinHostPolicy(), only})
	}
	type opened struct {
		session *gocql.Session
		err     error
	}
	result := make(chan opened, 1)
	go func() {
		session, err := cluster.CreateSession()
		result <- opened{session, err}
	}()
	select {
	case o := <-result:
		if o.err == nil {
			return o.session, nil
		}
		if refused(o.err) {
			return nil, fmt.Errorf("%w: %w", ErrRefused, o.err)
		}
		if unknown := unresolved(ctx, cfg.Hosts); len(unknown) == len(cfg.Hosts) {
			err := unknown[0]
			for _, another := range unknown[1:] {
				err = fmt.Errorf("%w; %w", err, another)
			}
			return nil, err // of the network, which may pass
		}
		return nil, fmt.Errorf("%w: %w", chat.ErrUnavailable, o.err) // nobody there, which may pass
	case <-ctx.Done():
		go func() { // it comes to its end by its own timeouts
			if o := <-result; o.session != nil {
				o.session.Close()
			}
		}()
		return nil, ctx.Err()
	}
}

// unresolved is why hosts have no address, of those that have none: the driver says it of none by name.
func unresolved(ctx context.Context, hosts []string) (why []error) {
	for _, host := range hosts {
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		_, err := net.DefaultResolver.LookupHost(ctx, host)
		if dns, ok := errors.AsType[*net.DNSError](err); ok {
			why = append(why, dns)
		}
	}
	return why
}

// Ping asks a quorum for a row that may not exist.
func (s *Store) Ping(ctx context.Context) error {
	return s.measure(ctx, "ping", func() error {
		err := s.request(ctx, `SELECT seq FROM heads WHERE conversation_id = ?`, gocql.UUID{}).Exec()
		if errors.Is(err, gocql.ErrNotFound) {
			return nil
		}
		return err
	})
}

// Close ends the session. Every call after it gives chat.ErrUnavailable.
func (s *Store) Close() error {
	s.session.Close()
	return nil
}
