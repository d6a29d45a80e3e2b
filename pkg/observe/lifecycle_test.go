package observe

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// diary notes what happens; synctest keeps its use in order.
type diary []string

func (d *diary) note(what string) { *d = append(*d, what) }

// task runs until it is told to stop, and then takes a second.
func (d *diary) task(name string) func(context.Context) error {
	return func(ctx context.Context) error {
		<-ctx.Done()
		d.note(name + " told")
		time.Sleep(time.Second)
		d.note(name + " ended")
		return ctx.Err()
	}
}

func (d *diary) teardown(name string, err error) func(context.Context) error {
	return func(context.Context) error { d.note(name); return err }
}

func TestLifecycleStopsInReverseOneAfterTheOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		l := NewLifecycle(discard(), time.Minute)
		l.OnStop("close store", d.teardown("close store", nil))
		l.Go("deliver", d.task("deliver"))
		l.OnStop("close producer", d.teardown("close producer", nil))
		l.Go("sockets", d.task("sockets"))
		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(time.Hour, cancel)
		if err := l.Wait(ctx); err != nil {
			t.Fatal(err)
		}
		want := diary{"sockets told", "sockets ended", "close producer", "deliver told", "deliver ended", "close store"}
		if !reflect.DeepEqual(d, want) {
			t.Errorf("%q", d)
		}
		if err := l.Stop(); err != nil || len(d) != len(want) {
			t.Errorf("a second Stop: %v, %q", err, d)
		}
	})
}

func TestLifecycleFirstFailureStopsTheOthers(t *testing.T) {
	broken := errors.New("broken")
	for _, tt := range []struct {
		name string
		err  error
		says string
	}{
		{"with an error", broken, "consumer: broken"},
		{"without", nil, "consumer: ended without being told to"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var d diary
				l := NewLifecycle(discard(), time.Minute)
				l.Go("store", d.task("store"))
				l.Go("consumer", func(context.Context) error { time.Sleep(time.Minute); return tt.err })
				l.Go("sockets", d.task("sockets"))
				err := l.Wait(context.Background())
				if err == nil || err.Error() != tt.says || (tt.err != nil && !errors.Is(err, tt.err)) {
					t.Errorf("%v", err)
				}
				if want := (diary{"sockets told", "sockets ended", "store told", "store ended"}); !reflect.DeepEqual(d, want) {
					t.Errorf("%q", d)
				}
			})
		})
	}
}

// What failed while the rest was still being built is noticed by Wait.
func TestLifecycleFailureWhileBuilding(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := NewLifecycle(discard(), time.Minute)
		l.Go("broker", func(context.Context) error { return errors.New("disk full") })
		synctest.Wait()
		var d diary
		l.OnStop("producer", d.teardown("producer", nil))
		if err := l.Wait(context.Background()); err == nil || err.Error() != "broker: disk full" || len(d) != 1 {
			t.Errorf("%v, %q", err, d)
		}
	})
}

// Stop without Wait is how a failed start is undone.
func TestLifecycleStopUndoesAStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		l := NewLifecycle(discard(), time.Minute)
		l.OnStop("a", d.teardown("a", errors.New("a is stuck")))
		l.Go("b", d.task("b"))
		l.OnStop("c", d.teardown("c", errors.New("c is stuck")))
		err := l.Stop()
		if err == nil || !strings.Contains(err.Error(), "stopping a: a is stuck") || !strings.Contains(err.Error(), "stopping c: c is stuck") {
			t.Errorf("%v", err)
		}
		if want := (diary{"c", "b told", "b ended", "a"}); !reflect.DeepEqual(d, want) {
			t.Errorf("%q", d)
		}
		l.Go("late", func(context.Context) error { d.note("late"); return nil })
		synctest.Wait()
		if len(d) != 4 {
			t.Errorf("started after Stop: %q", d)
		}
	})
}

func TestLifecycleStoppingIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d diary
		release := make(chan struct{})
		l := NewLifecycle(discard(), 10*time.Second)
		l.OnStop("first", d.teardown("first", nil))
		l.Go("stuck", func(context.Context) error { <-release; return nil })
		l.OnStop("patient", func(ctx context.Context) error { <-ctx.Done(); return nil })
		begun := time.Now()
		err := l.Stop()
		if took := time.Since(begun); took < 10*time.Second || took > 11*time.Second {
			t.Errorf("took %s", took)
		}
		if err == nil || err.Error() != "did not stop within 10s: stuck" {
			t.Errorf("%v", err)
		}
		if !reflect.DeepEqual(d, diary{"first"}) {
			t.Errorf("the first part was not told: %q", d)
		}
		close(release)
	})
}
