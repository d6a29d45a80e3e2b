package load

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/dozaar/dozaar/loadtest/client"
	"github.com/dozaar/dozaar/loadtest/history"
)

// TestWatchMeasuresAfterTheWarmingUp looks at this process by a file and adds up what was counted once it was warm.
func TestWatchMeasuresAfterTheWarmingUp(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pid")
	if err := os.WriteFile(file, []byte(strconv.Itoa(os.Getpid())+" and more\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	stats := &client.Stats{}
	w := newWatch(&Plan{Warm: 3 * time.Second, Processes: map[string]Process{"product": Process(file)}}, stats, NewMeter())
	if err := w.check(); err != nil {
		t.Fatal(err)
	}
	w.empty()
	w.begin()
	stats.Sent.Add(10)
	stats.Acked.Add(8)
	if m := w.moment(w.began.Add(3 * time.Second)); m.Due < 3 || m.Acked > 3 || m.At != 3 {
		t.Errorf("%+v", m)
	}
	stats.Acked.Add(4)
	stats.Shown.Add(12)
	m := w.moment(w.began.Add(5 * time.Second))
	if m.Acked != 2 || m.Delivered != 6 || m.Due != 0 || m.Processes["product"].Bytes < 1e6 {
		t.Errorf("%+v", m)
	}
	c := w.end(7)
	if c.Messages != 4 || c.Deliveries != 12 || c.Seconds != 2 || c.Devices != 7 || len(c.Moments) != 2 {
		t.Errorf("%+v", c)
	}
	if len(c.Costs) != 2 || c.Costs[0].Name != Self || c.Costs[1].Name != "product" || c.Costs[1].Empty == 0 || c.Costs[1].PerMessage != c.Costs[1].CPU/4*1e6 {
		t.Errorf("%+v", c.Costs)
	}
}

// TestAProcessMayBeStartedAgain: what the new one has used since its beginning counts, and one that is gone uses nothing.
func TestAProcessMayBeStartedAgain(t *testing.T) {
	p := &process{where: Process(strconv.Itoa(os.Getpid())), pid: 1, used: 1e6}
	for began := time.Now(); time.Since(began) < 50*time.Millisecond; { // it uses some
	}
	if seconds, bytes := p.look(); seconds <= 0 || bytes == 0 {
		t.Errorf("%v s, %d bytes", seconds, bytes)
	}
	p.where = Process(filepath.Join(t.TempDir(), "gone"))
	if seconds, bytes := p.look(); seconds != 0 || bytes != 0 {
		t.Errorf("%v s, %d bytes of one that is gone", seconds, bytes)
	}
	w := newWatch(&Plan{Processes: map[string]Process{"gone": p.where}}, &client.Stats{}, NewMeter())
	if err := w.check(); err == nil || !strings.Contains(err.Error(), "gone") {
		t.Errorf("it began all the same: %v", err)
	}
}

func TestSlowDevicesAndWarmingUpAreNotMeasured(t *testing.T) {
	m := NewMeter()
	m.From(time.Second)
	c, u := uuid.New(), uuid.New()
	say := func(at time.Duration, device string, body history.Body) {
		m.Add(&history.Event{Kind: history.Send, At: at, Conversation: c, User: u, Device: "a", Body: body})
		m.Add(&history.Event{Kind: history.Shown, At: at + time.Second, Conversation: c, User: uuid.New(), Device: device, Sender: u, Body: body, Seq: int64(body)})
	}
	say(0, "b", 1)
	if late := m.Lately(); late.Delivered.Count != 1 || m.Whole().Delivered.Count != 0 {
		t.Errorf("while warming up: %+v, %+v", late, m.Whole())
	}
	say(2*time.Second, "b", 2)
	say(2*time.Second, slowly+"b", 3)
	if late := m.Lately(); late.Delivered.Count != 1 || m.Whole().Delivered.Count != 1 {
		t.Errorf("afterwards: %+v, %+v", late, m.Whole())
	}
	if late := m.Lately(); late.Delivered.Count != 0 {
		t.Errorf("told twice: %+v", late)
	}
}

func TestBurstsComeAtTheEndOfEachStretch(t *testing.T) {
	p := Plan{Rate: 10, Burst: Burst{Every: 10 * time.Second, For: 2 * time.Second, Times: 3}}
	for since, want := range map[time.Duration]float64{0: 10, 7 * time.Second: 10, 8 * time.Second: 30, 9 * time.Second: 30, 10 * time.Second: 10, 19 * time.Second: 30} {
		if got := p.rate(since); got != want {
			t.Errorf("%s: %v, not %v", since, got, want)
		}
	}
	if p.Burst = (Burst{}); p.rate(time.Hour) != 10 {
		t.Error("a burst that nobody wanted")
	}
}

func TestSellers(t *testing.T) {
	count := func(p Plan) (conversations []int) {
		p.Conversations, p.Seed = 1000, 1
		r := &run{Plan: p}
		conversations = make([]int, 1000)
		for i, seller := 0, r.sellers(); i < p.Conversations; i++ {
			conversations[seller(i)]++
		}
		return conversations
	}
	if c := count(Plan{}); c[0] != 4 || c[249] != 4 || c[250] != 0 {
		t.Errorf("without a number: %v", c[:251])
	}
	if c := count(Plan{Sellers: 10}); c[0] != 100 || c[9] != 100 {
		t.Errorf("ten: %v", c[:11])
	}
	if c := count(Plan{Sellers: 100, SellerZipf: 1.2}); c[0] < 2*c[1]*8/10 || c[0] < 150 || c[100] != 0 {
		t.Errorf("by Zipf: %v", c[:101])
	}
}

func TestProgressOnATerminalIsOneLine(t *testing.T) {
	var screen, file strings.Builder
	on, off := progress(&screen, true, 10*time.Second, &client.Stats{}), progress(&file, false, 10*time.Second, &client.Stats{})
	for i := range 10 {
		m := Moment{At: float64(i + 1), Acked: 5}
		on(m)
		off(m)
	}
	if s := screen.String(); strings.Count(s, "\r") != 10 || strings.Count(s, "\n") != 1 || !strings.HasSuffix(s, "\n") {
		t.Errorf("%q", s)
	}
	if s := file.String(); strings.Count(s, "\n") != 2 || strings.Contains(s, "\r") || !strings.Contains(s, "5/s acked") {
		t.Errorf("%q", s)
	}
}

// TestALastShortMomentIsLeftOut: its rates would mean nothing.
func TestALastShortMomentIsLeftOut(t *testing.T) {
	w := newWatch(&Plan{}, &client.Stats{}, NewMeter())
	w.begin()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	w.began, w.last = time.Now(), time.Now()
	if w.run(ctx, func(Moment) {}); len(w.course.Moments) != 0 {
		t.Errorf("%+v", w.course.Moments)
	}
}
