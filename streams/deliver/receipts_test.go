package deliver

import (
	"context"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/kafka"
	"github.com/dozaar/dozaar/pkg/relay"
	"github.com/dozaar/dozaar/schemas"
)

// reads is the receipt of a reader for another's message.
func reads(conversation chat.ID, who chat.Member, seq int64, sender chat.Member) chat.Receipt {
	return chat.Receipt{
		ReadMark:  chat.ReadMark{ConversationID: conversation, UserID: who.UserID, Seq: seq},
		MessageID: simID('m', int(seq)), SenderID: sender.UserID, At: simTime,
	}
}

func (o *outside) receipt(offset int64, r chat.Receipt) kafka.Record {
	o.t.Helper()
	value, err := o.EncodeReceipt(r)
	return o.recordOf(schemas.TopicReceipts, offset, r.ConversationID, value, err)
}

func TestReceipts(t *testing.T) {
	o := newOutside(t)
	o.converse(deal, ann, bob)
	o.byUser = map[chat.ID][]string{ann.UserID: {"g1", "g2"}, bob.UserID: {"g2"}, cyd.UserID: {"g3"}}
	w := o.deliver().Worker(schemas.TopicReceipts, 0)
	o.process(w,
		o.receipt(0, reads(deal, bob, 3, ann)),
		o.receipt(1, reads(deal, bob, 5, ann)),
		o.receipt(2, reads(deal, bob, 4, ann)), // late, and told all the same
		o.receipt(3, reads(deal, ann, 6, ann)), // one's own
		o.receipt(4, reads(deal, cyd, 2, bob)), // the reader was removed meanwhile
		o.receipt(5, reads(deal, bob, 1, cyd)), // the sender was
	)
	if want := []string{"PutReadMarks 3", "Conversation", "Owners", "Send"}; !slices.Equal(o.calls, want) {
		t.Errorf("calls %v, want %v", o.calls, want)
	}
	for user, want := range map[chat.ID]int64{bob.UserID: 5, ann.UserID: 6, cyd.UserID: 2} {
		if got, _ := o.ReadSeqs(t.Context(), deal, []chat.ID{user}); got[user] != want {
			t.Errorf("mark %d, want %d", got, want)
		}
	}
	read := func(gateway string, seq int64, by chat.ID, to ...chat.ID) relay.Addressed {
		return relay.Addressed{Gateway: gateway, Envelope: relay.Envelope{Read: &relay.Read{
			MessageID: simID('m', int(seq)), ConversationID: deal, Seq: seq, ReadBy: by, At: simTime, To: to,
		}}}
	}
	want := []relay.Addressed{
		read("g1", 3, bob.UserID, ann.UserID), read("g2", 3, bob.UserID, ann.UserID, bob.UserID),
		read("g1", 5, bob.UserID, ann.UserID), read("g2", 5, bob.UserID, ann.UserID, bob.UserID),
		read("g1", 4, bob.UserID, ann.UserID), read("g2", 4, bob.UserID, ann.UserID, bob.UserID),
		read("g2", 2, cyd.UserID, bob.UserID),
		read("g2", 1, bob.UserID, bob.UserID),
	}
	if !reflect.DeepEqual(o.sent, want) {
		t.Errorf("told\n%s\nwant\n%s", readsOf(o.sent), readsOf(want))
	}
}

func readsOf(list []relay.Addressed) (out string) {
	for _, a := range list {
		out += a.Gateway + " " + a.Envelope.Read.MessageID.String() + "\n"
	}
	return out
}

// one gives the records of a partition one by one, each some time after the last one.
type one struct {
	records []kafka.Record
	every   time.Duration
	began   time.Time
	done    int
}

func (o *one) Take(ctx context.Context) ([]kafka.Record, error) {
	if len(o.records) == 0 {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	ready := min(len(o.records), int(time.Since(o.began)/o.every)-o.done)
	if ready < 1 {
		time.Sleep(time.Until(o.began.Add(time.Duration(o.done+1) * o.every)))
		ready = 1
	}
	taken := o.records[:ready]
	o.records, o.done = o.records[ready:], o.done+ready
	return taken, nil
}

func (o *one) Done(...chat.Position) {}

// A reader marks a thousand messages one by one, within five seconds: each is told, and few are written.
func TestAThousandMarksAreFewWrites(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newOutside(t)
		o.converse(deal, ann, bob)
		o.byUser[ann.UserID] = []string{"g1"}
		d := o.deliver()
		d.MarksEvery = Config{}.withDefaults().MarksEvery
		var marks []kafka.Record
		for seq := range int64(1000) {
			marks = append(marks, o.receipt(seq, reads(deal, bob, seq+1, ann)))
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		began := time.Now()
		go func() {
			ended <- d.Worker(schemas.TopicReceipts, 0).Run(ctx, &one{records: marks, every: 5 * time.Millisecond, began: began})
		}()
		time.Sleep(6 * time.Millisecond)
		synctest.Wait()
		o.mu.Lock()
		if len(o.sent) != 1 {
			t.Errorf("%d told at once, want the first", len(o.sent))
		}
		o.mu.Unlock()
		time.Sleep(10 * time.Second)
		cancel()
		<-ended
		writes := 0
		for _, call := range o.calls {
			if strings.HasPrefix(call, "PutReadMarks") {
				writes++
			}
		}
		if writes > 30 || len(o.sent) != 1000 {
			t.Errorf("%d writes, %d told", writes, len(o.sent))
		}
		if got, _ := o.ReadSeqs(t.Context(), deal, []chat.ID{bob.UserID}); got[bob.UserID] != 1000 {
			t.Errorf("mark %d", got)
		}
	})
}

// Marks are stored before they are told, and Redis is not waited for long.
func TestReceiptsSurviveAnAbsence(t *testing.T) {
	o := newOutside(t)
	o.converse(deal, ann, bob)
	o.byUser[ann.UserID] = []string{"g1"}
	o.failures = map[string]int{"PutReadMarks 1": 3, "Conversation": 3, "Send": -1}
	o.process(o.deliver().Worker(schemas.TopicReceipts, 0), o.receipt(0, reads(deal, bob, 3, ann)))
	if got, _ := o.ReadSeqs(t.Context(), deal, []chat.ID{bob.UserID}); got[bob.UserID] != 3 {
		t.Errorf("mark %d, want 3", got)
	}
	if got := o.count("dozaar_deliver_rebroadcast_failures_total", schemas.TopicReceipts); got != 1 {
		t.Errorf("%v given up, want 1", got)
	}
}
