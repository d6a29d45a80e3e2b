package cassandra

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"slices"
	"testing"
	"testing/fstest"

	"github.com/gocql/gocql"

	"github.com/dozaar/dozaar/pkg/chat"
)

func TestTimestampsFollowPositions(t *testing.T) {
	positions := []chat.Position{
		{}, {Offset: 1}, {Offset: 2}, {Offset: 1<<offsetBits - 2}, {Offset: 1<<offsetBits - 1},
		{Epoch: 1}, {Epoch: 1, Offset: 1}, {Epoch: 2}, {Epoch: 1<<epochBits - 1}, {Epoch: 1<<epochBits - 1, Offset: 1<<offsetBits - 1},
	}
	for i, p := range positions {
		for j, q := range positions {
			if (ascending(p) < ascending(q)) != (i < j) || (descending(p) > descending(q)) != (i < j) {
				t.Errorf("%v against %v: ascending %d, %d; descending %d, %d", p, q, ascending(p), ascending(q), descending(p), descending(q))
			}
		}
		for _, ts := range []int64{ascending(p), descending(p)} {
			if ts < 0 || ts%2 != 0 || ts == math.MaxInt64 {
				t.Errorf("%v has the timestamp %d", p, ts)
			}
		}
	}
	beyond := chat.Position{Epoch: math.MaxInt32, Offset: math.MaxInt64}
	if last := positions[len(positions)-1]; ascending(beyond) != ascending(last) || descending(beyond) != descending(last) {
		t.Error("beyond the last position it is not level")
	}
}

func TestBucketsAreEqual(t *testing.T) {
	for seq, want := range map[int64]int64{1: 0, 1000: 0, 1001: 1, 2000: 1, 2001: 2} {
		if got := bucketOf(seq); got != want {
			t.Errorf("message %d is in bucket %d, not %d", seq, got, want)
		}
	}
}

func TestBatchesAreOfOnePartitionAndBounded(t *testing.T) {
	conversation, other := chat.NewID(), chat.NewID()
	var writes []write
	for seq := int64(1); seq <= 2500; seq++ {
		writes = append(writes, messageWrite(message(conversation, seq, "x")), messageIDWrite(message(conversation, seq, "x")))
	}
	large := message(other, 1, string(make([]byte, 40_000)))
	writes = append(writes, messageWrite(large), messageWrite(large), messageWrite(message(other, 2, "")))
	seen, full := 0, 0
	for _, batch := range batched(writes) {
		size := 0
		for _, w := range batch {
			size += w.size
			if w.partition != batch[0].partition {
				t.Fatalf("%v and %v are in one batch", w.partition, batch[0].partition)
			}
		}
		if len(batch) > batchRows || size > batchBytes && len(batch) > 1 {
			t.Errorf("a batch of %d rows and %d bytes", len(batch), size)
		}
		if len(batch) == batchRows {
			full++
		}
		seen += len(batch)
	}
	if seen != len(writes) || full != 25 {
		t.Errorf("%d of %d writes in batches, %d of them full", seen, len(writes), full)
	}
}

// Small batches of several partitions share a request, in their order, and no more of them than Cassandra bears.
func TestSmallBatchesShareARequest(t *testing.T) {
	small, large := message(chat.NewID(), 1, "x"), message(chat.NewID(), 1, string(make([]byte, sharedBytes)))
	var writes []write
	for range 3 {
		writes = append(writes, messageWrite(small), messageIDWrite(small), messageWrite(large))
	}
	for range 2 * sharedRows {
		writes = append(writes, activityWrite(chat.NewID(), head(small)))
	}
	seen := 0
	var rows []int
	for _, batch := range shared(batched(writes)) {
		size := 0
		for _, w := range batch {
			size += rowBytes + w.size
			seen++
		}
		rows = append(rows, len(batch))
		if len(batch) > 1 && (len(batch) > sharedRows || size > sharedBytes) && batch[0].partition != batch[len(batch)-1].partition {
			t.Errorf("a request of %d rows and %d bytes", len(batch), size)
		}
	}
	if seen != len(writes) || len(rows) != 4 { // the small message's, the large one's, the inboxes'
		t.Errorf("requests of %v rows; %d of %d writes", rows, seen, len(writes))
	}
}

// Whichever of them fails, also the one that the caller's goroutine does, ends the others, and its error is the answer.
func TestEachEndsWithItsFirstError(t *testing.T) {
	s := &Store{concurrency: 4}
	for _, n := range []int{1, 2, 4, 9} {
		for _, failing := range []int{0, n - 1} {
			err := s.each(t.Context(), n, func(ctx context.Context, i int) error {
				if i == failing {
					return io.ErrUnexpectedEOF
				}
				if n > s.concurrency && i < failing {
					return nil // makes room
				}
				<-ctx.Done()
				return ctx.Err()
			})
			if !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("the %dth of %d fails: %v", failing, n, err)
			}
		}
	}
	if err := s.each(t.Context(), 0, nil); err != nil {
		t.Error(err)
	}
}

type answer struct {
	gocql.RequestError
	code int
}

func (a answer) Code() int     { return a.code }
func (a answer) Error() string { return fmt.Sprintf("code %x", a.code) }

func TestWhatPassesIsUnavailable(t *testing.T) {
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	late, cancel := context.WithTimeout(t.Context(), 0)
	defer cancel()
	<-late.Done()
	for name, c := range map[string]struct {
		ctx         context.Context
		err         error
		unavailable bool
	}{
		"too few replicas":      {t.Context(), answer{code: gocql.ErrCodeUnavailable}, true},
		"a write timed out":     {t.Context(), answer{code: gocql.ErrCodeWriteTimeout}, true},
		"a decision is unknown": {t.Context(), answer{code: gocql.ErrCodeCASWriteUnknown}, true},
		"nobody there":          {t.Context(), fmt.Errorf("x: %w", gocql.ErrNoConnections), true},
		"no answer":             {t.Context(), gocql.ErrTimeoutNoResponse, true},
		"closed":                {t.Context(), gocql.ErrSessionClosed, true},
		"cut":                   {t.Context(), io.EOF, true},
		"the network":           {t.Context(), &net.OpError{Op: "read", Err: errors.New("reset")}, true},
		"contended":             {t.Context(), errContended, true},
		"past the deadline":     {late, errors.New("gocql: whatever"), true},
		"given up":              {cancelled, gocql.ErrTimeoutNoResponse, false},
		"a wrong statement":     {t.Context(), answer{code: gocql.ErrCodeInvalid}, false},
		"a wrong value":         {t.Context(), errors.New("cannot marshal"), false},
		"not there":             {t.Context(), notFound(chat.NewID()), false},
	} {
		got := classify(c.ctx, "heads", c.err)
		if errors.Is(got, chat.ErrUnavailable) != c.unavailable {
			t.Errorf("%s: %v", name, got)
		}
		if errors.Is(got, context.Canceled) != (c.ctx == cancelled) {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// As the driver tells them, in text alone.
func TestWhoIsNotLetIn(t *testing.T) {
	for text, want := range map[string]bool{
		"unable to connect to initial hosts: Provided username chat and/or password are incorrect":                              true,
		`unable to connect to initial hosts: authentication required (using "org.apache.cassandra.auth.PasswordAuthenticator")`: true,
		"unable to connect to initial hosts: tls: failed to verify certificate: x509: certificate signed by unknown authority":  true,
		"unable to connect to initial hosts: dial tcp 127.0.0.1:9042: connect: connection refused":                              false,
		"unable to discover protocol version: gocql: no response received from cassandra within timeout period":                 false,
		"unable to connect to initial hosts: Cannot achieve consistency level LOCAL_QUORUM":                                     false,
	} {
		if got := refused(errors.New("gocql: unable to create session: " + text)); got != want {
			t.Errorf("%s: refused %t", text, got)
		}
	}
}

type request struct {
	gocql.RetryableQuery
	idempotent bool
	attempts   int
	ctx        context.Context
}

func (r request) IsIdempotent() bool       { return r.idempotent }
func (r request) Attempts() int            { return r.attempts }
func (r request) Context() context.Context { return r.ctx }

func TestRetries(t *testing.T) {
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		request
		want bool
	}{
		"the first failed":  {request{idempotent: true, attempts: 1, ctx: t.Context()}, true},
		"the last failed":   {request{idempotent: true, attempts: attempts, ctx: t.Context()}, false},
		"not idempotent":    {request{attempts: 1, ctx: t.Context()}, false},
		"nobody waits":      {request{idempotent: true, attempts: 1, ctx: cancelled}, false},
		"without a context": {request{idempotent: true, attempts: 1}, true},
	} {
		if got := (retryPolicy{}).Attempt(c.request); got != c.want {
			t.Errorf("%s: retried %v", name, got)
		}
	}
	if got := (retryPolicy{}).GetRetryType(answer{code: gocql.ErrCodeUnavailable}); got != gocql.RetryNextHost {
		t.Errorf("too few replicas: %v", got)
	}
	if got := (retryPolicy{}).GetRetryType(answer{code: gocql.ErrCodeInvalid}); got != gocql.Rethrow {
		t.Errorf("a wrong statement: %v", got)
	}
}

func TestConfigRefuses(t *testing.T) {
	for name, cfg := range map[string]Config{
		"no hosts":       {},
		"keyspace":       {Hosts: []string{"h"}, Keyspace: "x; DROP"},
		"port":           {Hosts: []string{"h:cql"}},
		"consistency":    {Hosts: []string{"h"}, Consistency: "ONE"},
		"any, in a word": {Hosts: []string{"h"}, Consistency: "ANY"},
	} {
		if _, err := cfg.withDefaults().cluster("dozaar"); err == nil {
			t.Errorf("%s: accepted", name)
		}
		if _, err := Open(t.Context(), cfg); err == nil || errors.Is(err, chat.ErrUnavailable) {
			t.Errorf("%s: Open says %v", name, err)
		}
	}
}

func TestStatements(t *testing.T) {
	m := migration{text: "-- a comment; with semicolon\nCREATE TABLE a (\n  b int, -- one;\n  c text\n);\n\nCREATE TABLE d (e int);\n"}
	want := []string{"CREATE TABLE a (\nb int,\nc text\n)", "CREATE TABLE d (e int)"}
	if got := m.statements(); !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}

func TestMigrationsAreNumberedWithoutGaps(t *testing.T) {
	files, err := migrations()
	if err != nil || len(files) < 4 {
		t.Fatal(len(files), err)
	}
	for _, f := range files {
		for _, statement := range f.statements() {
			if len(statement) == 0 || !slices.Contains([]string{"CREATE TABLE IF NOT EXISTS", "CREATE TYPE IF NOT EXISTS "}, statement[:min(26, len(statement))]) {
				t.Errorf("%s: %q cannot be run again", f.name, statement)
			}
		}
	}
	if list, err := migrationsOf(fstest.MapFS{"0001_a.cql": {}, "0003_c.cql": {}}); err == nil {
		t.Errorf("a gap is accepted: %v", list)
	}
}
