package main

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/gocql/gocql"
	"golang.org/x/sync/errgroup"

	"github.com/dozaar/dozaar/loadtest/converse"
)

// cassandraFloor inserts the rows that the store writes, and reads what the pipeline reads, through the driver
// alone, with the settings that the store uses.
type cassandraFloor struct {
	session *gocql.Session
	prompt  *gocql.Session // the driver holds no request back to have it share a write with others
	using   *gocql.Session // one of them, for the kind that runs
	talks   []floorTalk    // written to
	known   []gocql.UUID   // read: conversations that are there
	n       atomic.Int64
	text    string
}

// floorTalk is a conversation of three, as the client's are.
type floorTalk struct {
	id      gocql.UUID
	members [1 + recipients]gocql.UUID
}

// floorTalks is how many conversations the floors write to, as many as the client has.
const floorTalks = 500

func (f *cassandraFloor) open(_ context.Context, c floorCommand) (any, error) {
	cluster := gocql.NewCluster(c.Addresses...)
	_, port, err := net.SplitHostPort(c.Addresses[0])
	if err != nil {
		return nil, err
	}
	if cluster.Port, err = strconv.Atoi(port); err != nil {
		return nil, err
	}
	cluster.Keyspace, cluster.ProtoVersion = c.Keyspace, 4
	cluster.Consistency = gocql.LocalQuorum
	cluster.Timeout, cluster.WriteTimeout, cluster.ConnectTimeout = 6*time.Second, 6*time.Second, 5*time.Second
	cluster.DefaultTimestamp = false
	cluster.PoolConfig.HostSelectionPolicy = gocql.TokenAwareHostPolicy(gocql.RoundRobinHostPolicy())
	if f.session, err = cluster.CreateSession(); err != nil {
		return nil, err
	}
	cluster.WriteCoalesceWaitTime = 0
	cluster.PoolConfig.HostSelectionPolicy = gocql.TokenAwareHostPolicy(gocql.RoundRobinHostPolicy()) // each session wants its own
	if f.prompt, err = cluster.CreateSession(); err != nil {
		return nil, err
	}
	f.talks = make([]floorTalk, floorTalks)
	for i := range f.talks {
		f.talks[i].id = gocql.MustRandomUUID()
		for m := range f.talks[i].members {
			f.talks[i].members[m] = gocql.MustRandomUUID()
		}
	}
	f.text = converse.TextOf(1)
	f.known = make([]gocql.UUID, len(c.Conversations))
	for i, id := range c.Conversations {
		if f.known[i], err = gocql.ParseUUID(id); err != nil {
			return nil, err
		}
	}
	return struct{}{}, nil
}

// promptly is the kind "message" on a session that holds nothing back.
const promptly = "message, promptly"

// run does one kind of thing: a variant of storing a message, "read" the look-up of an id that is not there,
// "inboxes" the look-up of who has a copy of the head; everything else is one row of that name.
func (f *cassandraFloor) run(ctx context.Context, kind string, o converse.Order) (converse.Outcome, error) {
	f.using = f.session
	if kind == promptly {
		f.using, kind = f.prompt, "message"
	}
	var do func(p posted) error
	v, isVariant := variantNamed(kind)
	r, isRow := rowNamed(kind)
	switch {
	case isVariant:
		do = func(p posted) error {
			for _, step := range v.steps(p) {
				write := f.each
				if v.batched && len(step) > 1 {
					write = f.batch
				}
				if err := write(ctx, step); err != nil {
					return err
				}
			}
			return nil
		}
	case isRow:
		do = func(p posted) error { return f.exec(ctx, statement{r.statement, r.args(p)[0]}) }
	case kind == "read":
		do = func(p posted) error { return f.read(ctx, readByID, p.id) }
	case kind == "inboxes":
		do = func(p posted) error { return f.read(ctx, readInboxes, f.known[p.offset%int64(len(f.known))]) }
	default:
		return converse.Outcome{}, fmt.Errorf("nothing is called %q", kind)
	}
	return converse.Drive(o, func(done func(error)) {
		p := f.post()
		go func() { done(insist(func() error { return do(p) })) }()
	})
}

// insist asks again, as deliver does: a Cassandra that cannot keep up with a rate lets requests time out, and shall be
// told of as one that is slow.
func insist(do func() error) (err error) {
	for range 10 {
		if err = do(); err == nil {
			return nil
		}
	}
	return err
}

// post makes the values of the next message.
func (f *cassandraFloor) post() posted {
	n := f.n.Add(1)
	t := f.talks[n%int64(len(f.talks))]
	return posted{
		conversation: t.id, members: t.members, seq: n/int64(len(f.talks)) + 1, offset: n, id: gocql.TimeUUID(),
		text: f.text, now: time.Now().UnixMilli(),
	}
}

func (f *cassandraFloor) exec(ctx context.Context, s statement) error {
	return f.using.Query(s.text, s.args...).WithContext(ctx).Idempotent(true).Exec()
}

// each does writes beside each other.
func (f *cassandraFloor) each(ctx context.Context, list []statement) error {
	writes, ctx := errgroup.WithContext(ctx)
	for _, s := range list {
		writes.Go(func() error { return f.exec(ctx, s) })
	}
	return writes.Wait()
}

func (f *cassandraFloor) batch(ctx context.Context, list []statement) error {
	batch := f.using.NewBatch(gocql.UnloggedBatch).WithContext(ctx)
	for _, s := range list {
		batch.Entries = append(batch.Entries, gocql.BatchEntry{Stmt: s.text, Args: s.args, Idempotent: true})
	}
	return f.using.ExecuteBatch(batch)
}

// read looks one row up.
func (f *cassandraFloor) read(ctx context.Context, statement string, id gocql.UUID) error {
	rows := f.using.Query(statement, id).WithContext(ctx).Idempotent(true).Iter()
	columns, err := rows.RowData()
	if err != nil {
		return err
	}
	rows.Scan(columns.Values...)
	return rows.Close()
}

func (f *cassandraFloor) close() {
	for _, session := range []*gocql.Session{f.session, f.prompt} {
		if session != nil {
			session.Close()
		}
	}
}
