package observe

import (
	"bytes"
	"log/slog"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestRepeatsAreHeldBack(t *testing.T) {
	var out bytes.Buffer
	now := time.Now()
	log := slog.New(newRepeats(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug}), func() time.Time { return now }))
	lines := func() int {
		defer out.Reset()
		return strings.Count(out.String(), "\n")
	}
	for i := range 1000 {
		log.With("socket", i).WithGroup("g").Warn("events fail", "error", i) // what is said with it makes no other message of it
	}
	if got := lines(); got != repeatBurst {
		t.Errorf("%d lines of a thousand", got)
	}
	log.Error("events fail")
	log.Warn("something else")
	if got := lines(); got != 2 {
		t.Errorf("%d lines of two that are different", got)
	}
	now = now.Add(repeatEvery)
	log.Warn("events fail")
	if text := out.String(); !strings.Contains(text, "repeated=990") {
		t.Errorf("it is not said how many were held back: %s", text)
	}
	out.Reset()
	now = now.Add(time.Hour)
	for range 1000 {
		log.Warn("events fail")
		log.Debug("each of them")
	}
	if text := out.String(); strings.Contains(text, "repeated=") || strings.Count(text, "events fail") != repeatBurst || strings.Count(text, "each of them") != 1000 {
		t.Errorf("after an hour:\n%.500s", text)
	}
	out.Reset()
	for i := range 3 * repeatKinds {
		log.Info(strconv.Itoa(i))
	}
	if got := lines(); got != 3*repeatKinds {
		t.Errorf("%d lines of %d that are different", got, 3*repeatKinds)
	}
	if n := len(log.Handler().(*repeats).seen.kinds); n > repeatKinds {
		t.Errorf("%d messages are kept apart", n)
	}
}

func TestLoggersHoldRepeatsBack(t *testing.T) {
	for _, format := range []string{"text", "json"} {
		var out bytes.Buffer
		log, err := NewLogger(&out, format, "info")
		if err != nil {
			t.Fatal(err)
		}
		for range 100 {
			log.Info("again")
		}
		if got := strings.Count(out.String(), "\n"); got != repeatBurst {
			t.Errorf("%s: %d lines", format, got)
		}
	}
}
