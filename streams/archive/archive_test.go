package archive

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/parquet-go/parquet-go"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/goleak"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/embedded"
	"github.com/dozaar/dozaar/pkg/kafka"
	"github.com/dozaar/dozaar/schemas"
	"github.com/dozaar/dozaar/schemas/registry"
)

func TestMain(m *testing.M) {
	if os.Getenv(childDir) != "" {
		os.Exit(child())
	}
	goleak.VerifyTestMain(m)
}

// world is a log and a registry, with topics of two partitions.
type world struct {
	*testing.T
	kafka    kafka.Config
	registry *registry.Registry
	url      string
	codec    *schemas.Codec
	stored   *kafka.Producer
	producer *kafka.Producer
	dir      string
	broker   *embedded.Kafka
}

func newWorld(t *testing.T) *world {
	t.Helper()
	broker, err := embedded.StartKafka(embedded.KafkaConfig{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = broker.Close() })
	served, err := embedded.StartRegistry(embedded.RegistryConfig{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = served.Close() })
	w := &world{T: t, kafka: kafka.Config{Brokers: []string{broker.Addr()}}, url: served.URL(), dir: filepath.Join(t.TempDir(), "archive"), broker: broker}
	if _, err := kafka.EnsureTopics(t.Context(), kafka.TopicsConfig{Config: w.kafka, Partitions: 2}); err != nil {
		t.Fatal(err)
	}
	if w.registry, err = registry.New(nil, w.url); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.registry.Close)
	if _, err := schemas.Register(t.Context(), w.registry); err != nil {
		t.Fatal(err)
	}
	if w.codec, err = schemas.NewCodec(t.Context(), w.registry); err != nil {
		t.Fatal(err)
	}
	w.stored, w.producer = w.publisher(true), w.publisher(false)
	return w
}

func (w *world) publisher(patient bool) *kafka.Producer {
	w.Helper()
	p, err := kafka.NewProducer(kafka.ProducerConfig{Config: w.kafka, Patient: patient}, w.codec)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { _ = p.Close(context.Background()) })
	return p
}

var (
	conversation = uuid.MustParse("c0000000-0000-4000-8000-000000000001")
	ann          = chat.User{ID: uuid.MustParse("a0000000-0000-4000-8000-000000000001"), Username: "Ann"}
	noon         = time.Date(2026, 2, 3, 12, 0, 0, 123_000_000, time.UTC)
)

// publish puts some messages with numbers into a conversation.
func (w *world) publish(conversation chat.ID, from, n int) {
	w.Helper()
	var all []kafka.Stored
	for i := range n {
		m := chat.Draft{Text: fmt.Sprintf("message %d", from+i), ClientMessageID: chat.NewID()}.New(conversation, ann, noon)
		m.Seq = int64(from + i)
		all = append(all, kafka.Stored{Message: m})
	}
	if err := w.stored.PublishStored(w.Context(), all); err != nil {
		w.Fatal(err)
	}
}

func (w *world) config() Config {
	return Config{Dir: w.dir, Kafka: w.kafka, Registry: w.registry, Once: true}
}

func (w *world) archive(cfg Config) {
	w.Helper()
	if err := Run(w.Context(), cfg); err != nil {
		w.Fatal(err)
	}
}

func (w *world) files() []file {
	w.Helper()
	all, err := (&folder{dir: w.dir}).files()
	if err != nil {
		w.Fatal(err)
	}
	return all
}

// stored are the texts that are archived, in the order of files and rows.
func (w *world) texts() (all []string) {
	w.Helper()
	type row struct {
		Offset int64     `parquet:"kafka_offset"`
		Seq    int64     `parquet:"seq"`
		Sender uuid.UUID `parquet:"senderId"`
		Text   string    `parquet:"text"`
	}
	for _, f := range w.files() {
		if f.event != "message_stored" {
			continue
		}
		rows, err := parquet.ReadFile[row](filepath.Join(w.dir, f.path()))
		if err != nil {
			w.Fatal(err)
		}
		for i, r := range rows {
			if r.Offset != f.first+int64(i) || r.Sender != ann.ID {
				w.Errorf("%s: row %d is of offset %d, sender %s", f.path(), i, r.Offset, r.Sender)
			}
			all = append(all, r.Text)
		}
		if int64(len(rows)) != f.last-f.first+1 {
			w.Errorf("%s has %d rows", f.path(), len(rows))
		}
	}
	return all
}

func readAll[T any](w *world, f file) []T {
	w.Helper()
	rows, err := parquet.ReadFile[T](filepath.Join(w.dir, f.path()))
	if err != nil {
		w.Fatal(err)
	}
	return rows
}

// Every column of every event comes back as it was, none and lists included.
func TestColumns(t *testing.T) {
	w := newWorld(t)
	event := chat.ConversationEvent{Change: chat.Created, At: noon, Conversation: chat.Conversation{
		ID: conversation, Key: "listing", Members: []chat.Member{{UserID: ann.ID, Username: "Ann", Role: "buyer"}, {UserID: conversation, Username: "Bo"}},
		Metadata: []byte(`{"a":1}`), Revision: 1, CreatedAt: noon,
	}}
	if err := w.producer.PublishConversation(t.Context(), event); err != nil {
		t.Fatal(err)
	}
	event.Change, event.UserID, event.Conversation.Metadata = chat.MemberRemoved, ann.ID, nil
	if err := w.producer.PublishConversation(t.Context(), event); err != nil {
		t.Fatal(err)
	}
	m := chat.Draft{AttachmentURLs: []string{"https://a/1", "https://a/2"}}.New(conversation, ann, noon)
	m.Seq = 1
	if err := w.stored.PublishStored(t.Context(), []kafka.Stored{{Message: m}}); err != nil {
		t.Fatal(err)
	}
	w.archive(w.config())

	type member struct {
		UserID   uuid.UUID `parquet:"userId"`
		Username string    `parquet:"username"`
		Role     string    `parquet:"role"`
	}
	type changed struct {
		Conversation uuid.UUID  `parquet:"conversationId"`
		Members      []member   `parquet:"members,list"`
		Metadata     *string    `parquet:"metadata,optional"`
		User         *uuid.UUID `parquet:"userId,optional"`
		ChangedAt    time.Time  `parquet:"changedAt,timestamp(millisecond)"`
	}
	type stored struct {
		Attachments []string   `parquet:"attachmentUrls,list"`
		Client      *uuid.UUID `parquet:"clientMessageId,optional"`
		CreatedAt   time.Time  `parquet:"createdAt,timestamp(millisecond)"`
	}
	for _, f := range w.files() {
		path := filepath.Join(w.dir, f.path())
		switch f.event {
		case "conversation_changed":
			rows, err := parquet.ReadFile[changed](path)
			if err != nil || len(rows) != 2 {
				t.Fatalf("%s: %d rows, %v", path, len(rows), err)
			}
			if rows[0].User != nil || *rows[0].Metadata != `{"a":1}` || rows[1].Metadata != nil || *rows[1].User != ann.ID {
				t.Errorf("none and some: %+v", rows)
			}
			want := []member{{ann.ID, "Ann", "buyer"}, {conversation, "Bo", ""}}
			if !reflect.DeepEqual(rows[0].Members, want) || rows[0].Conversation != conversation || !rows[0].ChangedAt.Equal(noon) {
				t.Errorf("%+v", rows[0])
			}
		case "message_stored":
			rows, err := parquet.ReadFile[stored](path)
			if err != nil || len(rows) != 1 {
				t.Fatalf("%s: %d rows, %v", path, len(rows), err)
			}
			if r := rows[0]; !slices.Equal(r.Attachments, m.AttachmentURLs) || r.Client != nil || !r.CreatedAt.Equal(noon) {
				t.Errorf("%+v", r)
			}
		default:
			t.Errorf("%s was not to be there", path)
		}
	}
}

// Each run goes on where the last one has come to, and finds nothing to do where there is nothing new.
func TestEachRunGoesOn(t *testing.T) {
	w := newWorld(t)
	var want []string
	for round := range 3 {
		w.publish(conversation, 10*round, 10)
		for i := range 10 {
			want = append(want, fmt.Sprintf("message %d", 10*round+i))
		}
		for range 2 {
			w.archive(w.config())
		}
		if got := w.texts(); !slices.Equal(got, want) {
			t.Fatalf("after run %d: %q", round, got)
		}
		if n := len(w.files()); n != round+1 {
			t.Errorf("after run %d there are %d files", round, n)
		}
	}
}

// A file is written when it is large enough, or when its first record has waited long enough, not sooner.
func TestWhenFilesAreWritten(t *testing.T) {
	w := newWorld(t)
	w.publish(conversation, 0, 100)
	cfg := w.config()
	cfg.MaxBytes = 2_000
	w.archive(cfg)
	if n := len(w.files()); n < 5 || len(w.texts()) != 100 {
		t.Errorf("%d files of %d records", n, len(w.texts()))
	}
	before := len(w.files())
	cfg = w.config()
	var late atomic.Int64
	cfg.Once, cfg.Every, cfg.Clock = false, time.Hour, func() time.Time { return noon.Add(time.Duration(late.Load())) }
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- Run(ctx, cfg) }()
	w.publish(conversation, 100, 1)
	time.Sleep(2 * time.Second)
	if n := len(w.files()); n != before {
		t.Errorf("%d files before the time", n-before)
	}
	for range 600 {
		late.Add(int64(time.Hour)) // whenever the record was read, its time comes
		if len(w.files()) > before {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	cancel()
	if err := <-ended; err != nil || len(w.texts()) != 101 {
		t.Errorf("%v; %d messages", err, len(w.texts()))
	}
}

// The largest record that a topic takes is larger than a file is to be: it is archived all the same, and so are its neighbours.
func TestTheLargestRecord(t *testing.T) {
	w := newWorld(t)
	event := chat.ConversationEvent{Change: chat.Created, At: noon, Conversation: chat.Conversation{ID: conversation, Revision: 1, CreatedAt: noon}}
	for range 3 {
		if err := w.producer.PublishConversation(t.Context(), event); err != nil {
			t.Fatal(err)
		}
		event.Conversation.Revision++
		event.Conversation.Members = nil
		if event.Conversation.Revision == 2 {
			for range chat.MaxMembers {
				event.Conversation.Members = append(event.Conversation.Members, chat.Member{UserID: chat.NewID(), Username: strings.Repeat("🦉", chat.MaxUsernameChars)})
			}
		}
	}
	cfg := w.config()
	cfg.MaxBytes = 1_000
	w.archive(cfg)
	type row struct {
		Revision int64 `parquet:"revision"`
		Members  []struct {
			Username string `parquet:"username"`
		} `parquet:"members,list"`
	}
	var got []string
	for _, f := range w.files() {
		for _, r := range readAll[row](w, f) {
			got = append(got, fmt.Sprint(r.Revision, " of ", len(r.Members)))
		}
	}
	if want := []string{"1 of 0", fmt.Sprint("2 of ", chat.MaxMembers), "3 of 0"}; !slices.Equal(got, want) {
		t.Errorf("archived %v; want %v", got, want)
	}
}

func TestTwoDoNotShareAFolder(t *testing.T) {
	w := newWorld(t)
	f, err := open(w.dir)
	if err != nil {
		t.Fatal(err)
	}
	defer f.close()
	if err := Run(t.Context(), w.config()); err == nil || !strings.Contains(err.Error(), "another process archives into it") {
		t.Errorf("%v", err)
	}
}

// What no schema explains is kept with the reason, and what follows goes on in order.
func TestUnreadableRecordsAreKept(t *testing.T) {
	w := newWorld(t)
	w.publish(conversation, 1, 1)
	w.raw(schemas.TopicStored, conversation, []byte("no Avro"))
	w.raw(schemas.TopicStored, conversation, []byte{0, 0, 0, 0, 99, 1, 2, 3}) // a schema id that nobody knows
	w.publish(conversation, 2, 1)
	registerer := prometheus.NewRegistry()
	cfg := w.config()
	cfg.Registerer = registerer
	w.archive(cfg)
	if got := w.texts(); !slices.Equal(got, []string{"message 1", "message 2"}) {
		t.Errorf("messages %q", got)
	}
	var kept []unreadable
	for _, f := range w.files() {
		if f.event == "unreadable" {
			rows, err := parquet.ReadFile[unreadable](filepath.Join(w.dir, f.path()))
			if err != nil {
				t.Fatal(err)
			}
			kept = append(kept, rows...)
		}
	}
	if len(kept) != 2 || string(kept[0].Value) != "no Avro" || kept[0].Offset != 1 || !strings.Contains(kept[1].Reason, "schema 99") {
		t.Errorf("kept %+v", kept)
	}
	if n := counted(t, registerer, "dozaar_archive_unreadable_records_total"); n != 2 {
		t.Errorf("%v are said to be unreadable; want 2", n)
	}
}

// A registry that is away keeps no record from its file, once it is back.
func TestARegistryThatIsAwayIsWaitedFor(t *testing.T) {
	w := newWorld(t)
	newer := strings.Replace(schemas.MessageStored.Schema(), `"fields": [`, `"fields": [{"name": "mood", "type": "string", "default": ""},`, 1)
	id, err := w.registry.Register(t.Context(), schemas.MessageStored.Subject(), newer)
	if err != nil {
		t.Fatal(err)
	}
	value, err := w.codec.EncodeStored(chat.Message{ID: conversation, ConversationID: conversation, Seq: 1, Sender: ann, Text: "newer", CreatedAt: noon})
	if err != nil {
		t.Fatal(err)
	}
	w.raw(schemas.TopicStored, conversation, append([]byte{0, 0, 0, 0, byte(id), 6, 'j', 'o', 'y'}, value[5:]...))
	cfg := w.config()
	away := &flaky{Registry: w.registry, failures: 1}
	cfg.Registry = away
	w.archive(cfg)
	if got := w.texts(); !slices.Equal(got, []string{"newer"}) || away.failures != 0 {
		t.Errorf("%q, and %d failures to come", got, away.failures)
	}
}

type flaky struct {
	schemas.Registry
	failures int
}

func (f *flaky) Schema(ctx context.Context, id int) (string, error) {
	if f.failures > 0 {
		f.failures--
		return "", errors.New("connection refused")
	}
	return f.Registry.Schema(ctx, id)
}

// The names decide: a topic that was made again, and files that have records in common, are refused.
func TestWhatCannotBeGoneOnWithIsRefused(t *testing.T) {
	w := newWorld(t)
	w.publish(conversation, 1, 3)
	w.archive(w.config())
	was := w.files()[0]
	other := was
	other.last++
	copyFile(t, filepath.Join(w.dir, was.path()), filepath.Join(w.dir, other.path()))
	if err := Run(t.Context(), w.config()); err == nil || !strings.Contains(err.Error(), "have records in common") {
		t.Errorf("two files of the same records: %v", err)
	}
	if err := os.Remove(filepath.Join(w.dir, other.path())); err != nil {
		t.Fatal(err)
	}
	another := newWorld(t)
	another.dir = w.dir
	another.publish(conversation, 1, 30)
	if err := Run(t.Context(), another.config()); err == nil || !strings.Contains(err.Error(), "archive into another folder") {
		t.Errorf("another log: %v", err)
	}
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	data, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// Whoever comes so late that the log has dropped records goes on with those that are there, and says how many are lost.
func TestWhatTheLogHasDroppedIsSaid(t *testing.T) {
	w := newWorld(t)
	w.publish(conversation, 1, 5)
	w.archive(w.config())
	registerer := prometheus.NewRegistry()
	cfg := w.config()
	cfg.Registerer = registerer
	a := newArchive(cfg)
	a.folder = &folder{dir: w.dir}
	last := w.files()[0]
	id, err := a.folder.topicOf(last)
	if err != nil {
		t.Fatal(err)
	}
	at := key{last.topic, last.partition}
	a.there[at], a.topics[last.topic] = last, &topic{name: last.topic}
	offset, err := a.from(kafka.LogPartition{Topic: last.topic, TopicID: id, Partition: last.partition, Start: 105, End: 200})
	if err != nil || offset != 105 {
		t.Errorf("goes on at %d, %v", offset, err)
	}
	if lost := counted(t, registerer, "dozaar_archive_lost_records_total"); lost != 100 {
		t.Errorf("%v are said to be lost; want 100", lost)
	}
}

// counted is the sum of a counter's series.
func counted(t *testing.T, from prometheus.Gatherer, name string) (sum float64) {
	t.Helper()
	families, err := from.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name {
				sum += m.GetCounter().GetValue()
			}
		}
	}
	return sum
}

// A partition's day never goes back, and a new one begins a file.
func TestDays(t *testing.T) {
	p := &part{topic: &topic{name: "t"}}
	days := []string{"2026-02-03", "2026-02-03", "2026-02-04", "2026-02-03", "2026-02-05"}
	var got []string
	for i, day := range days {
		if !p.fits("e", day) {
			got = append(got, fmt.Sprint(p.file().day, p.first, p.last))
			p.empty()
		}
		p.add("e", nil, day, int64(i), nil, 1, noon)
	}
	if want := []string{"2026-02-030 1", "2026-02-042 3"}; !slices.Equal(got, want) || p.day != "2026-02-05" {
		t.Errorf("files %q, then %s", got, p.day)
	}
}
