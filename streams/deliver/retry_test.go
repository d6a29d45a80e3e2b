package deliver

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A store that is away for a day is waited for, with pauses that stay short, and complained of now and then.
func TestInsist(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var logged strings.Builder
		d := New(Config{Logger: slog.New(slog.NewTextHandler(&logged, nil))})
		start, attempts, longest, last := time.Now(), 0, time.Duration(0), time.Now()
		err := d.insist(t.Context(), "heads", func(context.Context) error {
			attempts++
			longest, last = max(longest, time.Since(last)), time.Now()
			if time.Since(start) < 24*time.Hour {
				return errAway
			}
			return nil
		})
		if err != nil || time.Since(start) < 24*time.Hour {
			t.Fatalf("ended after %v with %v", time.Since(start), err)
		}
		if longest > 8*time.Second || attempts > 30_000 {
			t.Errorf("%d attempts, the longest pause %v", attempts, longest)
		}
		if lines := strings.Count(logged.String(), "\n"); lines < 2_000 || lines > 2_881 {
			t.Errorf("%d lines logged in a day, want about two a minute", lines)
		}
	})
}

func TestInsistEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		start := time.Now()
		err := New(Config{Logger: slog.New(slog.DiscardHandler)}).insist(ctx, "heads", func(context.Context) error { return errAway })
		if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, errAway) || time.Since(start) != time.Minute {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
	})
}

func TestTryFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := New(Config{Logger: slog.New(slog.DiscardHandler)})
		for name, do := range map[string]func(context.Context) error{
			"a failure": func(context.Context) error { return errAway },
			"a call that hangs": func(ctx context.Context) error {
				<-ctx.Done()
				return ctx.Err()
			},
		} {
			start := time.Now()
			err := d.tryFor(t.Context(), 4*time.Second, "rebroadcast", do)
			if took := time.Since(start); err == nil || took < 2*time.Second || took > 4*time.Second {
				t.Errorf("%s: after %v: %v", name, took, err)
			}
		}
	})
}
