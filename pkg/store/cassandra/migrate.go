package cassandra

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"time"

	"github.com/gocql/gocql"

	"github.com/dozaar/dozaar/pkg/chat"
	ddl "github.com/dozaar/dozaar/schemas/cassandra"
)

// migration is one file of schemas/cassandra.
type migration struct {
	number int
	name   string
	text   string
}

func (m migration) hash() []byte {
	sum := sha256.Sum256([]byte(m.text))
	return sum[:]
}

// statements are the file's, each of which ends with a semicolon at the end of a line; comments are lines, or ends of
// lines, that begin with two dashes.
func (m migration) statements() []string {
	var list []string
	var statement strings.Builder
	for line := range strings.Lines(m.text) {
		line, _, _ = strings.Cut(line, "--")
		line = strings.TrimSpace(line)
		text, last := strings.CutSuffix(line, ";")
		statement.WriteString(text + "\n")
		if last {
			list = append(list, strings.TrimSpace(statement.String()))
			statement.Reset()
		}
	}
	return list
}

// migrations are the files, in order. They are numbered without a gap.
func migrations() ([]migration, error) { return migrationsOf(ddl.Files) }

func migrationsOf(files fs.FS) ([]migration, error) {
	names, err := fs.Glob(files, "*.cql") // sorted by name
	if err != nil {
		return nil, err
	}
	var list []migration
	for i, name := range names {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		if !strings.HasPrefix(name, fmt.Sprintf("%04d_", i+1)) {
			return nil, fmt.Errorf("%s is not number %d", name, i+1)
		}
		list = append(list, migration{i + 1, name, string(text)})
	}
	return list, nil
}

// Migrate makes the keyspace where there is none and applies the files of schemas/cassandra that it has not seen, in
// order. It answers the names of those it applied. Any number may start together: one does the work, under a
// lock that ends with its holder, and the others wait for it.
func Migrate(ctx context.Context, cfg Config) (done []string, err error) {
	cfg = cfg.withDefaults()
	files, err := migrations()
	if err == nil {
		done, err = migrate(ctx, cfg, files)
	}
	return done, classify(ctx, "migrate", err)
}

func migrate(ctx context.Context, cfg Config, files []migration) (done []string, err error) {
	if cfg.Timeout < ddlTimeout {
		cfg.Timeout = ddlTimeout
	}
	coordinator, nodes, err := coordinator(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if err := createKeyspace(ctx, cfg, coordinator, nodes); err != nil {
		return nil, err
	}
	session, err := connect(ctx, cfg, cfg.Keyspace, coordinator)
	if err != nil {
		return nil, err
	}
	defer session.Close()
	m := &migrator{Config: cfg, session: session, owner: gocql.UUID(chat.NewID())}
	if err := m.lock(ctx); err != nil {
		return nil, err
	}
	defer m.unlock(ctx)
	if done, err = m.apply(ctx, files); err != nil {
		return done, err
	}
	if slices.Contains(done, "0002_messages.cql") && slices.Contains(done, "0007_fills.cql") { // nobody has written yet
		if err := session.Query(putFill, filling, fillParts).WithContext(ctx).Exec(); err != nil {
			return done, err
		}
	}
	have, err := columns(ctx, session, cfg.Keyspace)
	return done, cmp.Or(err, complete(cfg.Keyspace, files, have))
}

// ddlTimeout is how long one change of the schema may take.
const ddlTimeout = 30 * time.Second

// coordinator picks the node through which the schema is changed, the same for all who ask: nodes that make one
// table at the same moment would each give it an id of its own.
func coordinator(ctx context.Context, cfg Config) (only func(*gocql.HostInfo) bool, nodes int, err error) {
	session, err := connect(ctx, cfg, "", nil)
	if err != nil {
		return nil, 0, err
	}
	defer session.Close()
	ids, _, err := members(ctx, session)
	if err != nil {
		return nil, 0, err
	}
	slices.SortFunc(ids, func(a, b gocql.UUID) int { return bytes.Compare(a[:], b[:]) })
	first := ids[0].String()
	return func(h *gocql.HostInfo) bool { return h.HostID() == first }, len(ids), nil
}

func createKeyspace(ctx context.Context, cfg Config, only func(*gocql.HostInfo) bool, nodes int) error {
	session, err := connect(ctx, cfg, "", only)
	if err != nil {
		return err
	}
	defer session.Close()
	factor := cfg.Replication
	if factor == 0 {
		factor = 1
		if nodes >= 3 {
			factor = 3
		}
	}
	if err := checkReplicas(ctx, session, cfg, factor); err != nil {
		return err
	}
	for _, statement := range []string{
		fmt.Sprintf(`CREATE KEYSPACE IF NOT EXISTS %s WITH replication = {'class': 'NetworkTopologyStrategy', 'replication_factor': %d}`,
			cfg.Keyspace, factor),
		fmt.Sprintf(`CREATE TABLE IF NOT EXISTS %s.migrations (number int PRIMARY KEY, name text, hash blob, applied_at timestamp)`, cfg.Keyspace),
		fmt.Sprintf(`CREATE TABLE IF NOT EXISTS %s.migration_lock (name text PRIMARY KEY, owner uuid)`, cfg.Keyspace),
	} {
		if err := change(ctx, session, statement); err != nil {
			return err
		}
	}
	return nil
}

// change changes the schema and waits until all nodes have heard of it.
func change(ctx context.Context, session *gocql.Session, statement string) error {
	if err := session.Query(statement).WithContext(ctx).Exec(); err != nil {
		return err
	}
	return session.AwaitSchemaAgreement(ctx)
}

// applied is the hash of each file that was applied, by number.
func applied(ctx context.Context, session *gocql.Session, keyspace string) (map[int][]byte, error) {
	done := map[int][]byte{}
	err := rows(session.Query(`SELECT number, hash FROM `+keyspace+`.migrations`).WithContext(ctx).Idempotent(true), func(row gocql.Scanner) (bool, error) {
		var number int
		var hash []byte
		err := row.Scan(&number, &hash)
		done[number] = hash
		return false, err
	})
	return done, err
}

// migrator applies files while it holds the lock.
type migrator struct {
	Config
	session *gocql.Session
	owner   gocql.UUID
}

// lockTTL is how long the lock outlives a holder that died. It is renewed before each statement.
const lockTTL = 2 * ddlTimeout

func (m *migrator) lock(ctx context.Context) error {
	for waiting := false; ; waiting = true {
		held, err := m.decide(ctx, `INSERT INTO migration_lock (name, owner) VALUES ('migrate', ?) IF NOT EXISTS USING TTL ?`,
			m.owner, int(lockTTL.Seconds()))
		if err != nil && !undecided(err) {
			return err
		}
		if !held { // perhaps it was the one before, whose answer was lost
			held, err = m.renew(ctx)
			if err != nil && !undecided(err) {
				return err
			}
		}
		if held {
			return nil
		}
		if !waiting {
			m.Logger.InfoContext(ctx, "waiting for another migration to end", "keyspace", m.Keyspace)
		}
		select {
		case <-time.After(250 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (m *migrator) renew(ctx context.Context) (held bool, err error) {
	return m.decide(ctx, `UPDATE migration_lock USING TTL ? SET owner = ? WHERE name = 'migrate' IF owner = ?`,
		int(lockTTL.Seconds()), m.owner, m.owner)
}

func (m *migrator) unlock(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if _, err := m.decide(ctx, `DELETE FROM migration_lock WHERE name = 'migrate' IF owner = ?`, m.owner); err != nil {
		m.Logger.WarnContext(ctx, "the migration lock ends by itself", "after", lockTTL, "error", err)
	}
}

func (m *migrator) decide(ctx context.Context, statement string, args ...any) (bool, error) {
	return m.session.Query(statement, args...).WithContext(ctx).MapScanCAS(map[string]any{})
}

func (m *migrator) apply(ctx context.Context, files []migration) (names []string, err error) {
	done, err := applied(ctx, m.session, m.Keyspace)
	if err != nil {
		return nil, err
	}
	for _, f := range files {
		if hash, seen := done[f.number]; seen {
			if !bytes.Equal(hash, f.hash()) {
				return names, fmt.Errorf("%s is not the file that was applied as number %d; a released file is never edited", f.name, f.number)
			}
			continue
		}
		for _, statement := range f.statements() {
			if held, err := m.renew(ctx); err != nil || !held {
				return names, fmt.Errorf("%s: the lock was lost: %w", f.name, cmp.Or(err, error(chat.ErrUnavailable)))
			}
			if err := change(ctx, m.session, statement); err != nil {
				return names, fmt.Errorf("%s: %w", f.name, err)
			}
		}
		if err := m.session.Query(`INSERT INTO migrations (number, name, hash, applied_at) VALUES (?, ?, ?, ?)`,
			f.number, f.name, f.hash(), time.Now()).WithContext(ctx).Exec(); err != nil {
			return names, err
		}
		m.Logger.InfoContext(ctx, "migration applied", "file", f.name, "keyspace", m.Keyspace)
		names = append(names, f.name)
	}
	return names, nil
}
