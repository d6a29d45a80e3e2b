package presence

import (
	"testing"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
)

// Leases that were taken together are renewed spread over time, each within its interval, forever.
func TestRenewalsAreSpread(t *testing.T) {
	const n, interval = 10_000, 100 * time.Second
	now := time.UnixMilli(0)
	table := newTable(interval, time.Second, now)
	last := map[lease]time.Time{}
	for range n {
		l := lease{id: chat.NewID()}
		turn := table.set(l, hold, now)
		if !table.wrote(l, turn, now, now) {
			t.Fatal("not written")
		}
		last[l] = now
	}
	renewals := 0
	for range 1000 {
		now = now.Add(time.Second)
		atOnce := 0
		for {
			due, more := table.takeDue(now, 100)
			for _, l := range due {
				if late := now.Sub(last[l]) - interval; late > time.Second {
					t.Fatalf("renewed %v late", late)
				}
				last[l] = now
				h, _ := table.get(l)
				table.wrote(l, h.turn, now, now)
			}
			atOnce += len(due)
			if !more {
				break
			}
		}
		renewals += atOnce
		if atOnce > 3*n/50 {
			t.Fatalf("%d renewals in one second", atOnce)
		}
	}
	if renewals < 9*n || renewals > 11*n {
		t.Errorf("%d renewals of %d leases in ten intervals", renewals, n)
	}
	for l, at := range last {
		if now.Sub(at) > interval+time.Second {
			t.Fatalf("%v was not renewed", l)
		}
	}
	if len(table.wheel) > 200 {
		t.Errorf("%d slots are kept", len(table.wheel))
	}
}

// The clock may jump ahead (a machine that slept): everything is due, once.
func TestTheWheelAfterALongSleep(t *testing.T) {
	now := time.UnixMilli(0)
	table := newTable(100*time.Second, time.Second, now)
	for range 50 {
		l := lease{room: true, id: chat.NewID()}
		table.wrote(l, table.set(l, hold, now), now, now)
	}
	now = now.Add(24 * time.Hour)
	due, more := table.takeDue(now, 30)
	if len(due) != 30 || !more {
		t.Fatalf("%d due, more: %v", len(due), more)
	}
	if due, more = table.takeDue(now, 30); len(due) != 20 || more {
		t.Fatalf("%d due, more: %v", len(due), more)
	}
	table.retry(due[0], now)
	if due, _ = table.takeDue(now, 30); len(due) != 1 {
		t.Fatalf("%d due at once", len(due))
	}
}
