package schemas

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/google/uuid"
)

// book is a registry in memory.
type book struct {
	schemas []string // by id - 1
	owners  []string // subjects
	away    error    // what every question is answered with
	asked   int
}

func (b *book) Register(_ context.Context, subject, schema string) (int, error) {
	if id, err := b.ID(context.Background(), subject, schema); err == nil {
		return id, nil
	}
	b.schemas, b.owners = append(b.schemas, schema), append(b.owners, subject)
	return len(b.schemas), b.away
}

func (b *book) ID(_ context.Context, subject, schema string) (int, error) {
	b.asked++
	for i := range b.schemas {
		if b.schemas[i] == schema && b.owners[i] == subject {
			return i + 1, b.away
		}
	}
	return 0, ErrNotRegistered
}

func (b *book) Schema(_ context.Context, id int) (string, error) {
	b.asked++
	if b.away != nil {
		return "", b.away
	}
	if id < 1 || id > len(b.schemas) {
		return "", ErrNotRegistered
	}
	return b.schemas[id-1], nil
}

func newBook(t testing.TB) *book {
	t.Helper()
	b := &book{}
	if _, err := Register(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	return b
}

func newCodec(t testing.TB, b *book) *Codec {
	t.Helper()
	c, err := NewCodec(t.Context(), b)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func id(n byte) chat.ID {
	var u chat.ID
	for i := range u {
		u[i] = n
	}
	u[6], u[8] = u[6]&0x0f|0x70, u[8]&0x3f|0x80
	return u
}

var noon = time.Date(2026, 2, 3, 12, 0, 0, 123_000_000, time.UTC)

func messages() map[string]chat.Message {
	return map[string]chat.Message{
		"plain": {ID: id(1), ConversationID: id(2), Sender: chat.User{ID: id(3), Username: "Ada"}, Text: "Hello, world!", CreatedAt: noon},
		"full": {ID: id(1), ConversationID: id(2), Sender: chat.User{ID: id(3), Username: "Ада 🦉"}, Text: "NUL \x00, RTL \u202e, <script> and 🦉",
			AttachmentURLs: []string{"https://example.com/a.jpg", "http://example.com/b"}, ClientMessageID: id(4), CreatedAt: noon},
		"attachment only": {ID: id(1), ConversationID: id(2), Sender: chat.User{ID: id(3), Username: "Ada"},
			AttachmentURLs: []string{"https://example.com/a.jpg"}, CreatedAt: time.UnixMilli(0).UTC()},
	}
}

func storedMessages() map[string]chat.Message {
	all := messages()
	for name, m := range all {
		m.Seq = int64(40 + len(name))
		all[name] = m
	}
	return all
}

func erasures() map[string]chat.ErasureEvent {
	of := chat.ErasureEvent{UserID: id(3), RequestedAt: noon, At: noon.Add(time.Minute)}
	requested, messages, done := of, of, of
	requested.Change, messages.Change, done.Change = chat.ErasureRequested, chat.ErasureMessages, chat.ErasureDone
	messages.Part = chat.ErasedPart{ConversationID: id(2), Seqs: []int64{1, 5, 1 << 40}, From: noon.Add(-time.Hour), To: noon}
	done.Messages = 3
	return map[string]chat.ErasureEvent{"requested": requested, "messages": messages, "done": done}
}

func receipts() map[string]chat.Receipt {
	return map[string]chat.Receipt{
		"plain": {ReadMark: chat.ReadMark{ConversationID: id(2), UserID: id(5), Seq: 42}, MessageID: id(1), SenderID: id(3), At: noon},
	}
}

func presences() map[string]chat.PresenceChange {
	return map[string]chat.PresenceChange{
		"online":  {UserID: id(3), Online: true, Version: 1_700_000_000_001, At: noon},
		"offline": {UserID: id(3), Version: 1_700_000_300_001, At: noon.Add(5 * time.Minute)},
	}
}

func notifications() map[string]chat.Notification {
	return map[string]chat.Notification{
		"plain": {
			ID: id(9), UserID: id(5), ConversationID: id(2), MessageID: id(1), Seq: 42, Sender: chat.User{ID: id(3), Username: "Ada"},
			Preview: "Is it still there? 👋", Unread: 3, SentAt: noon, At: noon.Add(time.Minute),
		},
	}
}

func conversations() map[string]chat.ConversationEvent {
	members := []chat.Member{{UserID: id(3), Username: "Ada", Role: "buyer"}, {UserID: id(5), Username: "Bo"}}
	return map[string]chat.ConversationEvent{
		"created": {Change: chat.Created, At: noon, Conversation: chat.Conversation{ID: id(2), Key: "listing 7, Ada", Members: members,
			Metadata: json.RawMessage(`{"listing":7}`), Revision: 1, CreatedAt: noon}},
		"member removed": {Change: chat.MemberRemoved, UserID: id(5), At: noon.Add(time.Hour),
			Conversation: chat.Conversation{ID: id(2), Members: members[:1], Revision: 2, CreatedAt: noon}},
	}
}

func TestRoundTrip(t *testing.T) {
	c := newCodec(t, newBook(t))
	for name, want := range messages() {
		roundTrip(t, "message "+name, want, c.EncodeMessage, c.DecodeMessage)
	}
	for name, want := range storedMessages() {
		roundTrip(t, "stored message "+name, want, c.EncodeStored, c.DecodeStored)
	}
	for name, want := range erasures() {
		roundTrip(t, "erasure "+name, want, c.EncodeErasure, c.DecodeErasure)
	}
	for name, want := range receipts() {
		roundTrip(t, "receipt "+name, want, c.EncodeReceipt, c.DecodeReceipt)
	}
	for name, want := range conversations() {
		roundTrip(t, "conversation "+name, want, c.EncodeConversationEvent, c.DecodeConversationEvent)
	}
}

func roundTrip[T any](t *testing.T, name string, want T, encode func(T) ([]byte, error), decode func([]byte) (T, error)) {
	t.Helper()
	value, err := encode(want)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	got, err := decode(value)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("%s:\n got %+v\nwant %+v", name, got, want)
	}
}

// The number is given after publishing: it must not travel.
func TestMessageHasNoNumber(t *testing.T) {
	c := newCodec(t, newBook(t))
	m := messages()["plain"]
	m.Seq = 7
	value, err := c.EncodeMessage(m)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := c.DecodeMessage(value); err != nil || got.Seq != 0 {
		t.Errorf("decoded seq %d, %v; want 0", got.Seq, err)
	}
}

func TestFraming(t *testing.T) {
	b := newBook(t)
	c := newCodec(t, b)
	value, err := c.EncodeReceipt(receipts()["plain"])
	if err != nil {
		t.Fatal(err)
	}
	if value[0] != 0 || binary.BigEndian.Uint32(value[1:5]) != 2 {
		t.Errorf("framing is % x; want magic 0 and the second registered id", value[:5])
	}
}

func TestPoison(t *testing.T) {
	b := newBook(t)
	c := newCodec(t, b)
	good, err := c.EncodeMessage(messages()["full"])
	if err != nil {
		t.Fatal(err)
	}
	receipt, err := c.EncodeReceipt(receipts()["plain"])
	if err != nil {
		t.Fatal(err)
	}
	b.schemas = append(b.schemas, `{"type":"record","name":"Other","fields":[{"name":"a","type":"int"}]}`, `not a schema`)
	withID := func(id uint32) []byte {
		v := bytes.Clone(good)
		binary.BigEndian.PutUint32(v[1:], id)
		return v
	}
	badID := bytes.Replace(bytes.Clone(good), []byte(id(1).String()), []byte("zzzzzzzz-0101-7101-8101-010101010101"), 1)
	for name, value := range map[string][]byte{
		"empty":                    {},
		"nil":                      nil,
		"text":                     []byte("hello"),
		"other magic":              append([]byte{1}, good[1:]...),
		"header only":              good[:5],
		"cut short":                good[:len(good)-3],
		"bytes after":              append(bytes.Clone(good), 0),
		"unknown schema id":        withID(99),
		"schema id over 2^31":      withID(1 << 31),
		"schema of another event":  receipt,
		"schema that does not fit": withID(uint32(len(b.schemas) - 1)),
		"schema that is none":      withID(uint32(len(b.schemas))),
		"id that is no UUID":       badID,
		"endless string":           append(bytes.Clone(good[:5]), 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f),
	} {
		if _, err := c.DecodeMessage(value); !errors.Is(err, ErrPoison) {
			t.Errorf("%s: %v; want ErrPoison", name, err)
		}
	}
}

// Only the registry's own word makes a record poison: a registry that is away is worth a retry.
func TestRegistryAway(t *testing.T) {
	b := newBook(t)
	c := newCodec(t, b)
	value, err := c.EncodeMessage(messages()["plain"])
	if err != nil {
		t.Fatal(err)
	}
	newer := strings.Replace(MessageSent.Schema(), `"fields": [`, `"fields": [{"name": "mood", "type": "string", "default": "", "doc": "new"},`, 1)
	b.schemas = append(b.schemas, newer)
	unseen := append([]byte{0, 0, 0, 0, byte(len(b.schemas)), 6, 'j', 'o', 'y'}, value[5:]...)

	b.away = errors.New("connection refused")
	asked := b.asked
	if _, err := c.DecodeMessage(unseen); err == nil || errors.Is(err, ErrPoison) {
		t.Errorf("a registry that is away: %v; want an error that is not ErrPoison", err)
	}
	if _, err := c.DecodeMessage(value); err != nil {
		t.Errorf("a known id needs the registry: %v", err)
	}
	if _, err := c.EncodeMessage(messages()["plain"]); err != nil {
		t.Errorf("encoding needs the registry: %v", err)
	}
	if b.asked != asked+1 {
		t.Errorf("asked the registry %d times; want once, for the unseen id", b.asked-asked)
	}

	b.away = nil
	for range 2 {
		m, err := c.DecodeMessage(unseen)
		if err != nil || m.Text != "Hello, world!" {
			t.Fatalf("a newer version's record: %+v, %v", m, err)
		}
	}
	if b.asked != asked+2 {
		t.Errorf("asked the registry %d times; want twice: what it said is kept", b.asked-asked)
	}
}

func TestNotRegistered(t *testing.T) {
	_, err := NewCodec(t.Context(), &book{})
	if !errors.Is(err, ErrNotRegistered) || !strings.Contains(fmt.Sprint(err), "dozaar schemas apply") {
		t.Errorf("%v; want ErrNotRegistered and the command that helps", err)
	}
}

// A conversation as large as the limits allow fits its topic.
func TestLargestConversationFits(t *testing.T) {
	c := newCodec(t, newBook(t))
	e := conversations()["created"]
	e.Conversation.Members = make([]chat.Member, chat.MaxMembers)
	for i := range e.Conversation.Members {
		e.Conversation.Members[i] = chat.Member{UserID: uuid.New(), Username: strings.Repeat("🦉", chat.MaxUsernameChars), Role: strings.Repeat("🦉", chat.MaxRoleChars)}
	}
	e.Conversation.Metadata = json.RawMessage(`{"a":"` + strings.Repeat("x", chat.MaxMetadataBytes-8) + `"}`)
	if err := e.Conversation.Validate(); err != nil {
		t.Fatal(err)
	}
	value, err := c.EncodeConversationEvent(e)
	if err != nil {
		t.Fatal(err)
	}
	if limit := topic(t, TopicConversations).MaxMessageBytes - 4096; len(value) > int(limit) {
		t.Errorf("%d bytes; the topic takes %d", len(value), limit)
	}
}

func TestLargestMessageFits(t *testing.T) {
	c := newCodec(t, newBook(t))
	m := messages()["full"]
	m.Text = strings.Repeat("🦉", chat.MaxMessageChars)
	m.AttachmentURLs = nil
	for range chat.MaxAttachments {
		m.AttachmentURLs = append(m.AttachmentURLs, "https://x/"+strings.Repeat("🦉", chat.MaxAttachmentURLChars-10))
	}
	value, err := c.EncodeMessage(m)
	if err != nil {
		t.Fatal(err)
	}
	if limit := topic(t, TopicMessages).MaxMessageBytes - 4096; len(value) > int(limit) {
		t.Errorf("%d bytes; the topic takes %d", len(value), limit)
	}
}

func FuzzDecodeMessage(f *testing.F) {
	b := newBook(f)
	c := newCodec(f, b)
	for _, m := range messages() {
		value, err := c.EncodeMessage(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value []byte) {
		m, err := c.DecodeMessage(value)
		if err != nil {
			if !errors.Is(err, ErrPoison) {
				t.Fatalf("%v; want ErrPoison: the registry is there", err)
			}
			return
		}
		again, err := c.EncodeMessage(m)
		if err != nil {
			t.Fatalf("cannot encode what was decoded: %v", err)
		}
		if same, err := c.DecodeMessage(again); err != nil || !reflect.DeepEqual(same, m) {
			t.Fatalf("decoded again: %+v, %v; want %+v", same, err, m)
		}
	})
}

func BenchmarkMessage(b *testing.B) {
	c := newCodec(b, newBook(b))
	m := messages()["full"]
	value, err := c.EncodeMessage(m)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("encode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = c.EncodeMessage(m)
		}
	})
	b.Run("decode", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = c.DecodeMessage(value)
		}
	})
}
