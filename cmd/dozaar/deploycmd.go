package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/dozaar/dozaar/pkg/kafka"
	"github.com/dozaar/dozaar/pkg/observe"
	"github.com/dozaar/dozaar/schemas"
)

// toolConfig is what a command has that makes something and ends.
type toolConfig struct {
	LogLevel  string        `default:"info" placeholder:"LEVEL" help:"debug, info, warn or error."`
	LogFormat string        `default:"text" placeholder:"FORMAT" help:"text or json."`
	Wait      time.Duration `local:"" default:"1m" placeholder:"DURATION" help:"How long to wait for an engine that is away."`
}

// deploy checks the settings and gives do a deployment.
func (a *app) deploy(ctx context.Context, tool toolConfig, cfg Config, needs []string, groups []checker, do func(context.Context, deployment) error) error {
	if err := a.settings.valid(append(groups, engineSettings{cfg, needs})...); err != nil {
		return err
	}
	log, err := observe.NewLogger(a.stderr, tool.LogFormat, tool.LogLevel)
	if err != nil {
		return fmt.Errorf("DOZAAR_LOG_LEVEL, DOZAAR_LOG_FORMAT: %w", err)
	}
	a.settings.warn(log)
	return do(ctx, deployment{
		cfg: cfg, engines: cfg.given(), telling: telling{name: "dozaar", log: log}, waiting: &waiting{log: log, patience: max(tool.Wait, 1)},
	})
}

// engineSettings wants the addresses that a command needs.
type engineSettings struct {
	Config
	needs []string // flags
}

func (s engineSettings) check(p *problems) {
	for _, engine := range s.of(roleGateway).engines() {
		for _, flag := range s.needs {
			if flag == engine.flag && !engine.given {
				p.add(flag, "is not set")
			}
		}
	}
}

// migrateCmd is `dozaar migrate`.
type migrateCmd struct {
	Tool      toolConfig      `embed:""`
	Cassandra CassandraConfig `embed:"" group:"Cassandra:"`
	Keyspace  KeyspaceConfig  `embed:"" group:"Cassandra:"`
	Authors   bool            `local:"" help:"Then find out who wrote where in messages that a release without the table authors has stored, so that an erasure finds them: once, when every deliver is of this release. It reads every message's sender, may be ended, and goes on where it was."`
}

// Help is what `dozaar migrate --help` adds.
func (*migrateCmd) Help() string {
	return `It makes the keyspace where there is none, and applies the files of schemas/cassandra that were not applied yet, in order, each once. Any number may run at the same time, and again.`
}

func (c *migrateCmd) Run(ctx context.Context, a *app) error {
	cfg := Config{Cassandra: c.Cassandra, Keyspace: c.Keyspace}
	return a.deploy(ctx, c.Tool, cfg, []string{"cassandra-hosts"}, []checker{c.Cassandra, c.Keyspace}, func(ctx context.Context, d deployment) error {
		files, err := d.migrate(ctx)
		for _, file := range files {
			fmt.Fprintln(a.stdout, "applied", file)
		}
		if err == nil && len(files) == 0 {
			fmt.Fprintln(a.stdout, "nothing to apply: the tables are as they should be")
		}
		if err == nil && c.Authors {
			err = d.fillAuthors(ctx, a.stdout)
		}
		return err
	})
}

// schemasCmd is `dozaar schemas`.
type schemasCmd struct {
	Tool     toolConfig     `embed:""`
	Registry RegistryConfig `embed:"" group:"Schema registry:"`

	Check schemasCheckCmd `cmd:"" default:"1" help:"Look every version of every schema up, and fail if one is missing or another one."`
	Apply schemasApplyCmd `cmd:"" help:"Register every version of every schema that is not registered yet."`
}

type (
	schemasCheckCmd struct{}
	schemasApplyCmd struct{}
)

func (c *schemasCmd) run(ctx context.Context, a *app, do func(context.Context, deployment) ([]schemas.Registered, error)) error {
	cfg := Config{Registry: c.Registry}
	return a.deploy(ctx, c.Tool, cfg, []string{"schema-registry-url"}, []checker{c.Registry}, func(ctx context.Context, d deployment) error {
		all, err := do(ctx, d)
		return errors.Join(table(a.stdout, "SUBJECT\tVERSION\tID", all, func(r schemas.Registered) string {
			return fmt.Sprintf("%s\t%d\t%d", r.Subject, r.Version, r.ID)
		}), err)
	})
}

func (*schemasCheckCmd) Run(ctx context.Context, parent *schemasCmd, a *app) error {
	return parent.run(ctx, a, func(ctx context.Context, d deployment) ([]schemas.Registered, error) { return d.checkSchemas(ctx) })
}

func (*schemasApplyCmd) Run(ctx context.Context, parent *schemasCmd, a *app) error {
	return parent.run(ctx, a, func(ctx context.Context, d deployment) ([]schemas.Registered, error) { return d.applySchemas(ctx) })
}

// topicsCmd is `dozaar topics`.
type topicsCmd struct {
	Tool      toolConfig      `embed:""`
	Kafka     KafkaConfig     `embed:"" group:"Kafka:"`
	Topics    TopicsConfig    `embed:"" group:"Kafka:"`
	Cassandra CassandraConfig `embed:"" group:"Cassandra:"`

	Check  topicsCheckCmd  `cmd:"" default:"1" help:"Print what the topics are, and fail if anything is wrong."`
	Apply  topicsApplyCmd  `cmd:"" help:"Make the topics that are missing, configure the others, and set the first committed offsets."`
	Adopt  topicsAdoptCmd  `cmd:"" help:"Have the store take a topic that was made again, restored or given more partitions."`
	Rewind topicsRewindCmd `cmd:"" help:"Have deliver read again what came since a time, into a store that was put back to an older state."`
}

// Help is what `dozaar topics --help` adds.
func (*topicsCmd) Help() string {
	return `The topics are those of schemas/topics.yaml. A number of partitions is never changed in place: keys would move to other partitions, and a conversation's order would be lost.`
}

func (c *topicsCmd) run(ctx context.Context, a *app, do func(context.Context, deployment) error) error {
	cfg := Config{Kafka: c.Kafka, Topics: c.Topics, Cassandra: c.Cassandra}
	return a.deploy(ctx, c.Tool, cfg, []string{"kafka-brokers", "cassandra-hosts"}, []checker{c.Kafka, c.Topics, c.Cassandra}, do)
}

type topicsCheckCmd struct{}

func (*topicsCheckCmd) Run(ctx context.Context, parent *topicsCmd, a *app) error {
	return parent.run(ctx, a, func(ctx context.Context, d deployment) error {
		states, err := d.checkTopics(ctx)
		return errors.Join(printTopics(a.stdout, states), everyFault(err))
	})
}

type topicsApplyCmd struct {
	AcceptUnread bool `local:"" help:"Have a group that has no offset begin where the log begins, though older records are gone: right for a new group. What a group that lost its offsets had not read of them is in nobody's history."`
}

func (c *topicsApplyCmd) Run(ctx context.Context, parent *topicsCmd, a *app) error {
	return parent.run(ctx, a, func(ctx context.Context, d deployment) error {
		d.acceptUnread = c.AcceptUnread
		if err := d.applyTopics(ctx); err != nil {
			return everyFault(err)
		}
		states, err := d.checkTopics(ctx)
		return errors.Join(printTopics(a.stdout, states), everyFault(err))
	})
}

type topicsAdoptCmd struct {
	Topic        []string `local:"" placeholder:"NAME" help:"Only these; all that are not what the store remembers if not given."`
	AcceptUnread bool     `local:"" help:"Go on where a topic was given more partitions in place before all of its records were read: those whose key has moved go to the dead letters."`
}

// Help is what `dozaar topics adopt --help` adds.
func (*topicsAdoptCmd) Help() string {
	return `Before: let deliver read every record of the old log, then stop every deliver and gateway. The log epoch is raised by one, so that numbering goes on after what is stored, and deliver begins where the new log begins; a message that is stored already is not stored again. Records of the old log that were not read are in nobody's history.`
}

func (c *topicsAdoptCmd) Run(ctx context.Context, parent *topicsCmd, a *app) error {
	return parent.run(ctx, a, func(ctx context.Context, d deployment) error {
		done, err := d.adoptTopics(ctx, c.Topic, c.AcceptUnread)
		for _, t := range done {
			fmt.Fprintf(a.stdout, "adopted %s: log epoch %d (was %d), id %s (was %s), %d partitions (were %d)\n",
				t.is.Topic, t.is.Epoch, t.was.Epoch, t.is.ID, t.was.ID, t.is.Partitions, t.was.Partitions)
			if t.offsets != nil {
				total := int64(0)
				for _, at := range t.offsets {
					total += at
				}
				fmt.Fprintf(a.stdout, "  group %s goes on in %d partitions, %d records into the log\n", d.engines.group, len(t.offsets), total)
			}
		}
		return err
	})
}

type topicsRewindCmd struct {
	To           time.Time `local:"" required:"" placeholder:"TIME" help:"From when on, such as 2026-01-31T03:00:00Z; some minutes before the snapshot began."`
	AcceptUnread bool      `local:"" help:"Go on although records since that time are no longer kept."`
}

// Help is what `dozaar topics rewind --help` adds.
func (*topicsRewindCmd) Help() string {
	return `Before: stop every deliver and gateway, and put the store back. Too early a time does no harm: what is stored keeps its number and is not stored again. Nothing is ever set forward.`
}

func (c *topicsRewindCmd) Run(ctx context.Context, parent *topicsCmd, a *app) error {
	return parent.run(ctx, a, func(ctx context.Context, d deployment) error {
		rewound, err := d.rewindGroup(ctx, c.To, c.AcceptUnread)
		return errors.Join(table(a.stdout, "TOPIC\tREAD AGAIN", rewound, func(r kafka.Rewound) string {
			return fmt.Sprintf("%s\t%d", r.Topic, r.Again)
		}), err)
	})
}

func printTopics(out io.Writer, states []topicState) error {
	return table(out, "TOPIC\tID\tPARTITIONS\tREPLICATION\tRETENTION\tEPOCH\tLAG", states, func(s topicState) string {
		epoch, lag := "-", "-"
		if s.remembered {
			epoch = fmt.Sprint(s.was.Epoch)
		}
		if s.read {
			lag = fmt.Sprint(s.lag)
		}
		return fmt.Sprintf("%s\t%s\t%d\t%d\t%s\t%s\t%s", s.Topic, s.ID, s.Partitions, s.Replication, s.Retention(), epoch, lag)
	})
}

// everyFault takes a TopicsError apart, for those who want to see them all.
func everyFault(err error) error {
	all, ok := errors.AsType[*kafka.TopicsError](err)
	if !ok {
		return err
	}
	var faults []error
	for _, f := range all.Faults {
		faults = append(faults, f)
	}
	return errors.Join(faults...)
}

func table[T any](out io.Writer, head string, rows []T, line func(T) string) error {
	if len(rows) == 0 {
		return nil
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, head)
	for _, row := range rows {
		fmt.Fprintln(w, strings.TrimSpace(line(row)))
	}
	return w.Flush()
}
