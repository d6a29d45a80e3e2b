package presence

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/redis/redistest"
)

// commands is how many Redis has processed, those inside scripts included.
func (w *world) commands() int {
	w.t.Helper()
	info, err := w.client.Info(w.t.Context(), "stats").Result()
	w.must(err)
	_, rest, _ := strings.Cut(info, "total_commands_processed:")
	text, _, _ := strings.Cut(rest, "\r")
	n, err := strconv.Atoi(text)
	w.must(err)
	return n
}

// 100,000 users of one gateway cost Redis fewer than 2,000 operations a second, each command within a script counted.
// Half an hour of a gateway's clock passes in which every lease is extended once; Redis's own clock does not matter.
func TestWhatLeasesCost(t *testing.T) {
	if testing.Short() || raced {
		t.Skip("writes 100,000 leases 18 times")
	}
	client := redistest.Client(t, redistest.StartServer(t).Addr())
	w := &world{t: t, client: client}
	clock := time.Now()
	l := NewLeases(LeasesConfig{Redis: client, Instance: "a", Clock: func() time.Time { return clock }})
	const users = 100_000
	for range users {
		l.table.set(lease{id: chat.NewID()}, hold, clock)
	}
	l.table.again(clock, nil)
	beat := func() {
		w.insist(func() error {
			_, err := l.beat(t.Context())
			return err
		})
	}
	beat()
	interval := DefaultTTL / 3
	pass := func(d time.Duration) {
		for end := clock.Add(d); clock.Before(end); {
			clock = clock.Add(time.Second)
			beat()
		}
	}
	pass(interval) // the first renewals come sooner
	before, most := w.commands(), 0
	began := clock
	for range extendEvery {
		last := w.commands()
		pass(interval)
		most = max(most, w.commands()-last)
	}
	perSecond := float64(w.commands()-before) / clock.Sub(began).Seconds()
	t.Logf("%.0f operations a second, %.0f in the busiest interval", perSecond, float64(most)/interval.Seconds())
	if busiest := float64(most) / interval.Seconds(); busiest >= 2_000 {
		t.Errorf("%.0f operations a second in the busiest interval; fewer than 2,000 are allowed", busiest)
	}
}
