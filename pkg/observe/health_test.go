package observe

import (
	"context"
	"errors"
	"reflect"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestStatus(t *testing.T) {
	ok := func(context.Context) error { return nil }
	away := func(context.Context) error { return errors.New("connection refused") }
	for _, tt := range []struct {
		name  string
		setup func(h *Health)
		want  Status
	}{
		{"nothing to check", func(*Health) {}, Status{Ready: true, Checks: map[string]CheckResult{}}},
		{"all there", func(h *Health) { h.Add("kafka", ok); h.Add("redis", ok) },
			Status{Ready: true, Checks: map[string]CheckResult{"kafka": {OK: true}, "redis": {OK: true}}}},
		{"one away", func(h *Health) { h.Add("kafka", ok); h.Add("redis", away) },
			Status{Checks: map[string]CheckResult{"kafka": {OK: true}, "redis": {Error: "connection refused"}}}},
		{"replaced", func(h *Health) { h.Add("redis", away); h.Add("redis", ok) },
			Status{Ready: true, Checks: map[string]CheckResult{"redis": {OK: true}}}},
		{"removed", func(h *Health) { h.Add("redis", away); h.Add("kafka", ok); h.Remove("redis"); h.Remove("other") },
			Status{Ready: true, Checks: map[string]CheckResult{"kafka": {OK: true}}}},
		{"draining", func(h *Health) { h.Add("redis", ok); h.Drain() },
			Status{Reason: "draining", Checks: map[string]CheckResult{"redis": {OK: true}}}},
		{"panicking", func(h *Health) { h.Add("redis", func(context.Context) error { panic("nil map") }) },
			Status{Checks: map[string]CheckResult{"redis": {Error: "the check panicked: nil map"}}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			h := NewHealth()
			tt.setup(h)
			if got := h.Status(context.Background()); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("%+v, want %+v", got, tt.want)
			}
		})
	}
}

func TestAStuckCheckDelaysNobodyAndIsNotStartedTwice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHealth()
		release := make(chan struct{})
		var started atomic.Int32
		h.Add("stuck", func(context.Context) error { started.Add(1); <-release; return nil })
		h.Add("fine", func(context.Context) error { return nil })
		begun := time.Now()
		got := h.Status(context.Background())
		if took := time.Since(begun); took != CheckTimeout {
			t.Errorf("took %s", took)
		}
		if got.Ready || got.Checks["stuck"].OK || !got.Checks["fine"].OK {
			t.Errorf("%+v", got)
		}
		for range 10 {
			h.Status(context.Background())
		}
		if got := started.Load(); got != 1 {
			t.Errorf("started %d times", got)
		}
		close(release)
		synctest.Wait()
		if got := h.Status(context.Background()); !got.Ready {
			t.Errorf("afterwards: %+v", got)
		}
	})
}

// Several ask at once, as two proxies and an operator do: each is told how it is, also when the first of them hangs up.
func TestWhoAsksMeanwhileIsToldTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHealth()
		var started atomic.Int32
		h.Add("slow", func(ctx context.Context) error {
			started.Add(1)
			select {
			case <-time.After(time.Second):
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		})
		impatient, hangUp := context.WithCancel(context.Background())
		go h.Status(impatient)
		synctest.Wait()
		answers := make(chan Status, 10)
		for range cap(answers) {
			go func() { answers <- h.Status(context.Background()) }()
		}
		hangUp()
		for range cap(answers) {
			if got := <-answers; !got.Ready {
				t.Errorf("%+v", got)
			}
		}
		if got := started.Load(); got != 1 {
			t.Errorf("the check ran %d times", got)
		}
	})
}

func TestChecksRunBesideEachOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := NewHealth()
		for _, name := range []string{"a", "b", "c"} {
			h.Add(name, func(context.Context) error { time.Sleep(time.Second); return nil })
		}
		begun := time.Now()
		if got := h.Status(context.Background()); !got.Ready || time.Since(begun) != time.Second {
			t.Errorf("%+v after %s", got, time.Since(begun))
		}
	})
}
