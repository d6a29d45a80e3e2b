package archive

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"reflect"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/kafka"
	"github.com/dozaar/dozaar/schemas"
)

// Consumer is what topics.yaml calls this package.
const Consumer = "archive"

// Config is what an archive needs. What is zero gets the default named beside it.
type Config struct {
	Dir      string // made if missing
	Kafka    kafka.Config
	Registry schemas.Registry
	Once     bool          // end where the log ended at the beginning
	Patience time.Duration // with Once, how long an engine may be away; 0: for ever

	// A partition's file is written as soon as its records have so many bytes, or the first of them has waited so long.
	// All are written when they have MaxHeld bytes together.
	MaxBytes int           // 8 MiB
	Every    time.Duration // 15 min
	MaxHeld  int           // 128 MiB

	Logger     *slog.Logger          // discard
	Registerer prometheus.Registerer // none
	Clock      func() time.Time      // time.Now

	idle time.Duration // without a record, until it looks what is due; a second
}

func (c Config) withDefaults() Config {
	if c.MaxBytes == 0 {
		c.MaxBytes = 8 << 20
	}
	if c.MaxHeld == 0 {
		c.MaxHeld = 128 << 20
	}
	if c.Every == 0 {
		c.Every = 15 * time.Minute
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	return c
}

type archive struct {
	Config
	metrics metrics
	folder  *folder
	topics  map[string]*topic
	there   map[key]file // the last file of each partition
	parts   map[key]*part

	written struct{ records, files int } // by this Run

	erasures    erasures
	partitionOf func(topic string, key []byte) int32
	counts      map[string]int32 // of the topics' partitions
}

type key struct {
	topic     string
	partition int32
}

// Run archives until ctx ends, or, with Once, until everything is archived that was there. What it has taken and not
// written when ctx ends is taken again by the next Run.
func Run(ctx context.Context, cfg Config) error {
	a := newArchive(cfg)
	names, err := a.open(ctx)
	if err != nil {
		return err
	}
	if a.folder, err = open(a.Dir); err != nil {
		return err
	}
	defer a.folder.close()
	files, err := a.folder.files()
	if err != nil {
		return err
	}
	for _, f := range files {
		a.there[key{f.topic, f.partition}] = f
	}
	if err := a.learn(files); err != nil {
		return err
	}
	err = kafka.Read(ctx, kafka.ReadConfig{Config: a.Kafka, Topics: names, From: a.from, Once: a.Once, Patience: a.Patience, Interval: a.idle}, a.take)
	if errors.Is(err, kafka.ErrLogChanged) { // what was taken may not be there to be taken again
		return errors.Join(fmt.Errorf("start it again, to go on or to hear why it cannot: %w", err), a.flush(func(*part) bool { return true }))
	}
	if err != nil || ctx.Err() != nil {
		return err
	}
	if err := a.flush(func(*part) bool { return true }); err != nil {
		return err
	}
	a.Logger.InfoContext(ctx, "archived all that was there", "records", a.written.records, "files", a.written.files, "dir", a.Dir)
	return nil
}

func newArchive(cfg Config) *archive {
	counts := map[string]int32{}
	return &archive{
		Config: cfg.withDefaults(), metrics: newMetrics(cfg.Registerer),
		topics: map[string]*topic{}, there: map[key]file{}, parts: map[key]*part{},
		counts: counts, partitionOf: kafka.Partitions(counts),
	}
}

// Topics are the topics that are archived, by event.
func Topics() (map[string]schemas.Event, error) {
	all, err := schemas.Topics()
	if err != nil {
		return nil, err
	}
	archived := map[string]schemas.Event{}
	for _, e := range schemas.Events() {
		i := slices.IndexFunc(all, func(t schemas.Topic) bool { return t.Name == e.Topic })
		if i >= 0 && slices.Contains(all[i].ConsumedBy, Consumer) {
			archived[e.Topic] = e
		}
	}
	return archived, nil
}

// Registered tells whether the registry answers and has the schemas of what is archived.
func Registered(ctx context.Context, r schemas.Registry) error {
	events, err := Topics()
	if err != nil {
		return err
	}
	for _, event := range events {
		if _, err := schemas.NewReader(ctx, r, event); err != nil {
			return err
		}
	}
	return nil
}

// open finds out how the topics' records are read.
func (a *archive) open(ctx context.Context) (names []string, err error) {
	events, err := Topics()
	if err != nil {
		return nil, err
	}
	for name, event := range events {
		reader, err := schemas.NewReader(ctx, a.Registry, event)
		if err != nil {
			return nil, err
		}
		kind, err := rowType(reader.Schema())
		if err != nil {
			return nil, err
		}
		a.topics[name] = &topic{name: name, event: event.Name, kind: kind, read: reader.Read}
		names = append(names, name)
	}
	return names, nil
}

// from is where a partition goes on.
func (a *archive) from(at kafka.LogPartition) (int64, error) {
	topic := a.topics[at.Topic]
	a.counts[at.Topic] = max(a.counts[at.Topic], at.Partition+1)
	topic.id = at.TopicID
	p := &part{topic: topic, id: at.Partition, next: at.Start}
	a.parts[key{at.Topic, at.Partition}] = p
	last, archived := a.there[key{at.Topic, at.Partition}]
	if !archived {
		if at.Start > 0 {
			a.Logger.Warn("the log has dropped its first records, and the archive has none of them", "topic", at.Topic, "partition", at.Partition,
				"first", 0, "last", at.Start-1, "records", at.Start)
		}
		return p.next, nil
	}
	id, err := a.folder.topicOf(last)
	if err != nil {
		return 0, err
	}
	if id != at.TopicID || last.last >= at.End {
		return 0, fmt.Errorf("topic %s was made again, or its log was cut: %s has offsets of another log; archive into another folder, or move this topic's files (event=*/day=*/%s-*.parquet) out of this one; nothing more is erased in files that are left behind",
			at.Topic, last.path(), at.Topic)
	}
	p.next, p.day = last.last+1, last.day
	if lost := at.Start - p.next; lost > 0 {
		a.metrics.lost.WithLabelValues(at.Topic).Add(float64(lost))
		a.Logger.Error("the log has dropped records before they were archived", "topic", at.Topic, "partition", at.Partition,
			"first", p.next, "last", at.Start-1, "records", lost)
		p.next = at.Start
	}
	return p.next, nil
}

// take gathers records and writes the files that are due.
func (a *archive) take(ctx context.Context, records []kafka.Record) error {
	for _, r := range records {
		if err := a.gather(ctx, r); err != nil {
			return err
		}
	}
	held := 0
	for _, p := range a.parts {
		held += p.bytes
	}
	now := a.Clock()
	return a.flush(func(p *part) bool {
		return held >= a.MaxHeld || p.bytes >= a.MaxBytes || now.Sub(p.since) >= a.Every
	})
}

func (a *archive) gather(ctx context.Context, r kafka.Record) error {
	p := a.parts[key{r.Topic, r.Partition}]
	if p == nil || r.Position.Offset < p.next {
		return fmt.Errorf("%s, partition %d: offset %d was not to come", r.Topic, r.Partition, r.Position.Offset)
	}
	event, kind, row, err := a.row(ctx, p.topic, r)
	if err != nil {
		return err
	}
	if event == schemas.UserErased.Name {
		if err := a.erase(erasedRowOf(row)); err != nil {
			return err
		}
	}
	a.erasures.from(row)
	day := a.dayOf(r.Time)
	if !p.fits(event, day) || p.bytes >= a.MaxBytes {
		if err := a.write(p); err != nil {
			return err
		}
	}
	p.add(event, kind, day, r.Position.Offset, row, len(r.Key)+len(r.Value)+64, a.Clock())
	return nil
}

// dayOf is the day of a record, of days that there can be: what somebody wrote into the log as its time is anything. A
// partition's days never go back, so one record of a far future would put all that follow it there, where nobody looks
// for what they are to erase, or under a name that is no file's.
func (a *archive) dayOf(at time.Time) string {
	if now := a.Clock(); at.After(now.Add(time.Hour)) {
		at = now
	}
	if at.Unix() < 0 {
		at = time.Unix(0, 0)
	}
	return dayOf(at)
}

// row is a record as a row of its event's, or of what cannot be read. A registry that is away is waited for.
func (a *archive) row(ctx context.Context, t *topic, r kafka.Record) (event string, kind reflect.Type, row any, err error) {
	at := place{r.Partition, r.Position.Offset, r.Time.UTC()}
	for began := time.Now(); ; {
		value := reflect.New(t.kind)
		err := t.read(r.Value, value.Interface())
		if err == nil {
			for i := range reflect.TypeFor[place]().NumField() {
				value.Elem().Field(i).Set(reflect.ValueOf(at).Field(i))
			}
			return t.event, t.kind, value.Interface(), nil
		}
		if errors.Is(err, schemas.ErrPoison) {
			a.metrics.unreadable.WithLabelValues(t.name).Inc()
			a.Logger.Warn("a record cannot be read and is archived as it is", "topic", r.Topic, "partition", r.Partition,
				"offset", r.Position.Offset, "error", err)
			return "unreadable", reflect.TypeFor[unreadable](), &unreadable{at, r.Key, r.Value, err.Error()}, nil
		}
		if a.Once && a.Patience > 0 && time.Since(began) >= a.Patience {
			return "", nil, nil, fmt.Errorf("%w: the schema registry was away for %s: %w", chat.ErrUnavailable, a.Patience, err)
		}
		a.Logger.Warn("waiting for the schema registry", "error", err)
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return "", nil, nil, fmt.Errorf("%w, while %w", chat.ErrUnavailable, err)
		}
	}
}

func (a *archive) flush(due func(*part) bool) error {
	for _, p := range a.parts {
		if len(p.rows) > 0 && due(p) {
			if err := a.write(p); err != nil {
				return err
			}
		}
	}
	return nil
}

func (a *archive) write(p *part) error {
	f := p.file()
	err := a.folder.put(f, func(out *os.File) error { return write(out, p.kind, p.topic.id, p.rows) })
	if err != nil {
		return fmt.Errorf("write %s: %w", f.path(), err)
	}
	a.metrics.records.WithLabelValues(p.topic.name).Add(float64(len(p.rows)))
	a.metrics.files.WithLabelValues(p.topic.name).Inc()
	a.written.records += len(p.rows)
	a.written.files++
	p.empty()
	return nil
}
