package deliver

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/schemas"
)

// Whichever of them fails, also the one that the caller's goroutine does, ends the others, and its error is the answer.
func TestBesideEndsWithItsFirstError(t *testing.T) {
	failure := errors.New("failed")
	fail := func(context.Context) error { return failure }
	wait := func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	}
	for _, all := range [][]func(context.Context) error{{fail}, {fail, wait}, {wait, fail}, {wait, fail, wait}} {
		if err := beside(t.Context(), all...); !errors.Is(err, failure) {
			t.Errorf("of %d: %v", len(all), err)
		}
	}
}

// Who is told of a message finds it in the inbox, but an inbox that cannot be reached keeps nobody from being told.
func TestTheWordWaitsForTheInboxes(t *testing.T) {
	for _, away := range []bool{false, true} {
		o := newOutside(t)
		o.converse(deal, ann, bob)
		o.byUser = map[chat.ID][]string{bob.UserID: {"g1"}}
		told, written := make(chan struct{}), make(chan struct{})
		o.onCall = func(call string) {
			switch {
			case call == "Send":
				close(told)
				select {
				case <-written:
				default:
					if !away {
						t.Error("told before the inboxes were written")
					}
				}
			case call == "PutInboxes" && away:
				<-told
			case call == "PutInboxes":
				time.Sleep(20 * time.Millisecond) // longer than the lookup
				close(written)
			}
		}
		d := o.deliver()
		d.RelayPatience = time.Minute
		o.process(d.Worker(schemas.TopicMessages, 0), o.record(0, says(0, deal, ann, 0, "hello")))
		if len(o.sent) != 1 {
			t.Errorf("%d envelopes were sent; want 1", len(o.sent))
		}
	}
}
