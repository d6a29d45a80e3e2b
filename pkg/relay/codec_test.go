package relay

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
)

func id(n byte) chat.ID { return chat.ID{15: n} }

// everything is one envelope of each kind, with every field set.
func everything() []Envelope {
	at := time.UnixMilli(1_700_000_000_123).UTC()
	return []Envelope{
		{Message: &Message{
			Message: chat.Message{
				ID: id(1), ConversationID: id(2), Seq: 3, Sender: chat.User{ID: id(4), Username: "Zoë <b>"},
				Text: "line\n\x00\u2028 end", AttachmentURLs: []string{"https://a.example/1", "https://a.example/2"},
				ClientMessageID: id(5), CreatedAt: at,
			},
			Revision: 6, Notify: []chat.ID{id(7), id(8)},
		}},
		{Message: &Message{Message: chat.Message{ID: id(1), ConversationID: id(2), Seq: 1, Sender: chat.User{ID: id(4), Username: "n"}, CreatedAt: at}}},
		{Read: &Read{MessageID: id(1), ConversationID: id(2), Seq: 3, ReadBy: id(4), At: at, To: []chat.ID{id(5)}}},
		{Typing: &Typing{ConversationID: id(1), UserID: id(2), Typing: true}},
		{Typing: &Typing{ConversationID: id(1), UserID: id(2)}},
		{Members: &Members{ConversationID: id(1), Revision: 2, Added: id(3)}},
		{Members: &Members{ConversationID: id(1), Revision: 2, Removed: id(3)}},
		{Presence: &Presence{Change: chat.PresenceChange{UserID: id(1), Online: true, Version: 1_700_000_000_001, At: at}, To: []chat.ID{id(2)}, Asked: true}},
		{Conflict: &Conflict{UserID: id(1), ConversationID: id(2), ClientMessageID: id(3)}},
		{Settings: &Settings{UserID: id(1)}},
	}
}

func TestWhatIsEncodedIsDecoded(t *testing.T) {
	want := everything()
	var encoded [][]byte
	for _, e := range want {
		b, err := encode(e)
		if err != nil {
			t.Fatal(err)
		}
		encoded = append(encoded, b)
	}
	got, err := decode(join(encoded))
	if err != nil {
		t.Fatal(err)
	}
	for i := range want {
		if !reflect.DeepEqual(got[i], want[i]) {
			t.Errorf("envelope %d:\n got %+v\nwant %+v", i, got[i], want[i])
		}
	}
	if len(got) != len(want) {
		t.Errorf("%d envelopes, want %d", len(got), len(want))
	}
}

// Every field of every kind must be in the wire's form: a field that is added to a type and forgotten
// in the codec would be lost without a word.
func TestTheCodecKnowsEveryField(t *testing.T) {
	pairs := map[reflect.Type]reflect.Type{
		reflect.TypeFor[Envelope](): reflect.TypeFor[wireEnvelope](),
		reflect.TypeFor[Read]():     reflect.TypeFor[wireRead](),
		reflect.TypeFor[Typing]():   reflect.TypeFor[wireTyping](),
		reflect.TypeFor[Members]():  reflect.TypeFor[wireMembers](),
		reflect.TypeFor[Conflict](): reflect.TypeFor[wireConflict](),
		reflect.TypeFor[Settings](): reflect.TypeFor[wireSettings](),
	}
	for ours, wire := range pairs {
		if ours.NumField() != wire.NumField() {
			t.Errorf("%v has %d fields, %v has %d", ours, ours.NumField(), wire, wire.NumField())
		}
	}
	// Embedded and nested ones, flattened: a message's sender takes two fields.
	if got, want := reflect.TypeFor[wireMessage]().NumField(), reflect.TypeFor[chat.Message]().NumField()+1+reflect.TypeFor[Message]().NumField()-1; got != want {
		t.Errorf("wireMessage has %d fields, want %d", got, want)
	}
	if got, want := reflect.TypeFor[wirePresence]().NumField(), reflect.TypeFor[chat.PresenceChange]().NumField()+reflect.TypeFor[Presence]().NumField()-1; got != want {
		t.Errorf("wirePresence has %d fields, want %d", got, want)
	}
}

func TestExactlyOneKind(t *testing.T) {
	for _, e := range []Envelope{{}, {Typing: &Typing{}, Read: &Read{}}} {
		if _, err := encode(e); err == nil {
			t.Errorf("%+v was encoded", e)
		}
	}
}

// A newer version's kinds are counted and skipped, its fields ignored.
func TestNewerVersionsAreUnderstood(t *testing.T) {
	got, err := decode([]byte(`[{"zz":{"a":1}},{"t":{"c":"00000000-0000-0000-0000-000000000001","u":"00000000-0000-0000-0000-000000000002","y":true,"new":[1]}}]`))
	if err != nil || len(got) != 2 {
		t.Fatalf("%v, %v", got, err)
	}
	if got[0].kinds() != 0 || got[1].Typing == nil || !got[1].Typing.Typing {
		t.Errorf("%+v", got)
	}
}

func FuzzDecode(f *testing.F) {
	for _, e := range everything() {
		b, _ := encode(e)
		f.Add(join([][]byte{b}))
	}
	f.Add([]byte(`[null]`))
	f.Fuzz(func(t *testing.T, batch []byte) {
		envelopes, err := decode(batch)
		if err != nil {
			return
		}
		for _, e := range envelopes {
			if e.kinds() != 1 {
				continue
			}
			again, err := encode(e)
			if err != nil || !json.Valid(again) {
				t.Fatalf("%q was read but cannot be written: %v", batch, err)
			}
		}
	})
}
