package api_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
)

type erasure struct {
	UserID                  chat.ID
	State                   string
	RequestedAt, FinishedAt string
	Messages                int64
	Remains                 []struct{ Where, What, Until string }
}

// Asking once more while it is under way asks for the same erasure; afterwards for a new one.
func TestErase(t *testing.T) {
	h := newHarness(t)
	who := "/v1/users/" + buyer.ID.String()
	h.do("GET", who+"/erasure", "service", "").problem(t, http.StatusNotFound, chat.CodeNotFound, "")
	var first, again, done, next erasure
	h.do("DELETE", who, "service", "").into(t, http.StatusAccepted, &first)
	*h.clock = h.clock.Add(time.Hour)
	h.do("DELETE", who, "service", "").into(t, http.StatusAccepted, &again)
	if first.State != "requested" || first.UserID != buyer.ID || first.RequestedAt != "2026-01-31T12:00:00.123Z" || again.RequestedAt != first.RequestedAt {
		t.Errorf("answered %+v, then %+v", first, again)
	}
	if n := len(h.publisher.erasures); n != 2 {
		t.Fatalf("published %d times; want each time", n)
	}
	for _, e := range h.publisher.erasures {
		if e.Change != chat.ErasureRequested || e.UserID != buyer.ID || !e.RequestedAt.Equal(h.publisher.erasures[0].RequestedAt) {
			t.Errorf("published %+v", e)
		}
	}
	finished := h.clock.Add(time.Minute)
	if err := h.store.PutErasure(t.Context(), chat.Erasure{UserID: buyer.ID, RequestedAt: h.publisher.erasures[0].RequestedAt, Messages: 7, FinishedAt: finished}); err != nil {
		t.Fatal(err)
	}
	h.do("GET", who+"/erasure", "service", "").into(t, http.StatusOK, &done)
	if done.State != "done" || done.Messages != 7 || done.FinishedAt == "" {
		t.Errorf("answered %+v", done)
	}
	until := map[string]string{}
	for _, r := range done.Remains {
		until[r.Where] = r.Until
	}
	for where, retention := range map[string]time.Duration{"topic chat.messages": 168 * time.Hour, "topic chat.messages.stored": 168 * time.Hour, "topic chat.deadletter": 720 * time.Hour} {
		// A segment of the log is open for a day, and goes when its last record is old enough; brokers look every few minutes.
		if until[where] != finished.Add(retention+25*time.Hour).UTC().Format(chat.TimeFormat) {
			t.Errorf("%s remains until %q", where, until[where])
		}
	}
	for _, where := range []string{"history", "settings", "calls", "presence, in Redis"} {
		if at, said := until[where]; !said || at != "" {
			t.Errorf("of %s it is said %t, until %q", where, said, at)
		}
	}
	h.store.AuthorsUnknown = true
	h.do("DELETE", who, "service", "").into(t, http.StatusAccepted, &next)
	if said := func(r struct{ Where, What, Until string }) bool {
		return strings.Contains(r.What, "`dozaar migrate --authors`")
	}; slices.ContainsFunc(done.Remains, said) || !slices.ContainsFunc(next.Remains, said) {
		t.Errorf("where not everybody's messages are found: %+v", next.Remains)
	}
	if next.State != "requested" || next.RequestedAt == first.RequestedAt {
		t.Errorf("after it was done: %+v", next)
	}
}

// A request is newer than the one before, though that was made by a clock that was ahead.
func TestEraseAfterAClockThatWasAhead(t *testing.T) {
	h := newHarness(t)
	ahead := h.clock.Add(time.Minute)
	if err := h.store.PutErasure(t.Context(), chat.Erasure{UserID: buyer.ID, RequestedAt: ahead, FinishedAt: *h.clock}); err != nil {
		t.Fatal(err)
	}
	var next erasure
	h.do("DELETE", "/v1/users/"+buyer.ID.String(), "service", "").into(t, http.StatusAccepted, &next)
	known, _, err := h.store.Erasure(t.Context(), buyer.ID)
	if err != nil || !known.RequestedAt.After(ahead) || !known.FinishedAt.IsZero() || !h.publisher.erasures[0].RequestedAt.Equal(known.RequestedAt) {
		t.Errorf("%+v is remembered, %+v is published, %v", known, h.publisher.erasures, err)
	}
}

func TestEraseIsTheBackendsToAskFor(t *testing.T) {
	h := newHarness(t)
	who := "/v1/users/" + buyer.ID.String()
	for _, method := range []string{"DELETE " + who, "GET " + who + "/erasure"} {
		verb, path, _ := strings.Cut(method, " ")
		h.do(verb, path, "buyer", "").problem(t, http.StatusForbidden, chat.CodeForbidden, "")
		h.do(verb, path, "", "").problem(t, http.StatusUnauthorized, chat.CodeUnauthorized, "")
	}
	h.do("DELETE", "/v1/users/nobody", "service", "").problem(t, http.StatusBadRequest, chat.CodeInvalid, "userId")
}

// What nobody was told of is not under way: the report says so, and asking again asks for what was written up to then.
func TestAnErasureThatKafkaDidNotTakeIsNotUnderWay(t *testing.T) {
	h := newHarness(t)
	who := "/v1/users/" + buyer.ID.String()
	h.publisher.err = chat.ErrUnavailable
	h.do("DELETE", who, "service", "").problem(t, http.StatusServiceUnavailable, chat.CodeUnavailable, "")
	h.do("GET", who+"/erasure", "service", "").problem(t, http.StatusNotFound, chat.CodeNotFound, "")
	h.publisher.err = nil
	*h.clock = h.clock.Add(time.Minute)
	var e erasure
	h.do("DELETE", who, "service", "").into(t, http.StatusAccepted, &e)
	if e.RequestedAt != h.clock.UTC().Format(chat.TimeFormat) {
		t.Errorf("asked for %s at %s", e.RequestedAt, h.clock)
	}
}
