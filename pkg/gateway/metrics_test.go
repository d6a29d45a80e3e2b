package gateway

import (
	"context"
	"fmt"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/dozaar/dozaar/pkg/chat"
)

func TestCatchUpsByResult(t *testing.T) {
	w := newWorld(t).start()
	bea := newUser("Bea")
	room := w.conversation(bea)
	for range maxReplay + 2 {
		w.put(room, bea, "before")
	}
	s, _ := w.connect(bea)
	w.must(s, "join:conversation", obj{"conversationId": room}) // asks for nothing
	w.must(s, "join:conversation", obj{"conversationId": room, "afterSeq": maxReplay})
	w.must(s, "join:conversation", obj{"conversationId": room, "afterSeq": 1})
	w.must(s, "join:conversation", obj{"conversationId": room, "afterSeq": maxReplay + 3})
	w.do(s, "join:conversation", obj{"conversationId": chat.NewID(), "afterSeq": 1})
	for result, want := range map[string]float64{"recovered": 1, "too_much": 1, "ahead": 1, "refused": 1, "failed": 0, "left": 0} {
		if got := testutil.ToFloat64(w.metrics.catchUps.WithLabelValues(result)); got != want {
			t.Errorf("%s: %v, want %v", result, got, want)
		}
	}
	left, leave := context.WithCancel(context.Background())
	leave()
	if got := catchUpResult(left, 1, joined{}, fmt.Errorf("away: %w", chat.ErrUnavailable)); got != "left" {
		t.Errorf("who left counts as %s", got)
	}
	if got := catchUpResult(context.Background(), 1, joined{}, fmt.Errorf("away: %w", chat.ErrUnavailable)); got != "failed" {
		t.Errorf("a store that is away counts as %s", got)
	}
}
