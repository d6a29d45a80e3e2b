package load

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dozaar/dozaar/loadtest/bench"
	"github.com/dozaar/dozaar/loadtest/client"
)

// Course is how the load went, second by second, and what it cost.
type Course struct {
	Began      time.Time `json:"began"`
	Devices    int       `json:"devices"`
	LeftOut    []string  `json:"leftOut,omitempty"` // what the target cannot do
	Seconds    float64   `json:"seconds"`           // that were measured, without the warming up
	Messages   int64     `json:"messages"`          // acknowledged meanwhile
	Deliveries int64     `json:"deliveries"`        // shown to devices meanwhile
	Due        int64     `json:"due"`               // that were to be sent meanwhile: who has no answer is in no latency
	Busy       float64   `json:"busyCores"`         // of the machine, on average, whoever used them; 0: nobody can tell
	Late       Quantiles `json:"late"`              // how long after it was due a message was given to its device: the generator's own doing, warming up included
	Costs      []Cost    `json:"costs"`
	Moments    []Moment  `json:"moments"` // warming up included
	Notes      []Note    `json:"notes,omitempty"`
	Storms     []Gale    `json:"storms,omitempty"`
}

// Moment is a stretch of about a second. Rates are a second.
type Moment struct {
	At         float64          `json:"at"` // seconds since the load began
	Connected  int64            `json:"connected"`
	Due        float64          `json:"due"` // messages that were to be sent
	Acked      float64          `json:"acked"`
	Delivered  float64          `json:"delivered"` // shown, live or replayed
	Paged      float64          `json:"paged"`
	Reconnects float64          `json:"reconnects"`
	Errors     float64          `json:"errors"` // messages refused for good, requests without an answer, connections that did not come about
	Latency    Latency          `json:"latency"`
	Processes  map[string]Usage `json:"processes"`
}

// Note is something that was done, such as a fault.
type Note struct {
	At   float64 `json:"at"`
	Text string  `json:"text"`
}

// Gale is one storm.
type Gale struct {
	At   float64 `json:"at"`
	Cut  int64   `json:"cut"`           // connections
	Back float64 `json:"secondsToBack"` // until as many devices had come back; 0: they had not by the end of the load
}

// Usage is a process at a moment.
type Usage struct {
	Cores float64 `json:"cores"` // of CPU, since the moment before
	Bytes int64   `json:"bytes"` // resident
}

// Cost is a process while the load was measured.
type Cost struct {
	Name        string  `json:"name"`
	CPU         float64 `json:"cpuSeconds"`
	PerMessage  float64 `json:"cpuMicrosPerMessage"`  // acknowledged
	PerDelivery float64 `json:"cpuMicrosPerDelivery"` // shown
	Empty       int64   `json:"bytesEmpty"`           // before anybody connected
	Full        int64   `json:"bytesConnected"`       // when all had, and nothing was sent yet
	Peak        int64   `json:"bytesPeak"`
}

// Process is one that is looked at: its number, or a file that begins with it and is read again each time.
type Process string

// Self is this process's name among the others.
const Self = "loadtest"

func (p Process) pid() (int, error) {
	if pid, err := strconv.Atoi(string(p)); err == nil {
		return pid, nil
	}
	text, err := os.ReadFile(string(p))
	if err != nil {
		return 0, err
	}
	words := strings.Fields(string(text))
	if len(words) == 0 {
		return 0, fmt.Errorf("%s has no process's number", p)
	}
	return strconv.Atoi(words[0])
}

// watch looks at everything once a second.
type watch struct {
	stats     *client.Stats
	meter     *Meter
	processes map[string]*process
	names     []string
	warm      time.Duration

	began, last time.Time
	before      counters
	busy        float64 // seconds of the machine's processors, at the last look
	course      Course
}

type process struct {
	where Process
	pid   int // whose CPU was counted
	used  float64
	cost  Cost
}

// counters are what is counted over all devices.
type counters struct{ due, acked, shown, paged, reconnects, errors int64 }

func newWatch(p *Plan, stats *client.Stats, meter *Meter) *watch {
	w := &watch{stats: stats, meter: meter, warm: p.Warm, processes: map[string]*process{}}
	for name, where := range p.Processes {
		w.processes[name] = &process{where: where, cost: Cost{Name: name}}
	}
	w.processes[Self] = &process{where: Process(strconv.Itoa(os.Getpid())), cost: Cost{Name: Self}}
	w.names = slices.Sorted(maps.Keys(w.processes))
	return w
}

// look reads what a process has used since the last look, and what it has in memory. One that is not there, as while it
// is started again, uses nothing.
func (p *process) look() (seconds float64, bytes int64) {
	pid, err := p.where.pid()
	if err != nil {
		return 0, 0
	}
	used, err := bench.CPUSeconds(pid)
	if err != nil {
		return 0, 0
	}
	seconds = used - p.used
	if pid != p.pid {
		seconds = used // another process, from its beginning
	}
	p.pid, p.used = pid, used
	bytes, err = bench.ResidentBytes(pid)
	if err != nil {
		return seconds, 0
	}
	p.cost.Peak = max(p.cost.Peak, bytes)
	return seconds, bytes
}

// check says which process cannot be looked at, before anything begins.
func (w *watch) check() error {
	for _, name := range w.names {
		pid, err := w.processes[name].where.pid()
		if err == nil {
			_, err = bench.CPUSeconds(pid)
		}
		if err != nil {
			return fmt.Errorf("look at %s: %w", name, err)
		}
	}
	return nil
}

// empty and full note what the processes have in memory before and after the devices have connected.
func (w *watch) empty() {
	for _, p := range w.processes {
		_, p.cost.Empty = p.look()
	}
}

func (w *watch) full() {
	for _, p := range w.processes {
		_, p.cost.Full = p.look()
	}
}

func (w *watch) count() counters {
	s := w.stats
	return counters{
		s.Sent.Load(), s.Acked.Load(), s.Shown.Load(), s.Paged.Load(), s.Reconnects.Load(),
		s.Refused.Load() + s.Unanswered.Load() + s.ConnectErrors.Load(),
	}
}

// begin is when the load begins.
func (w *watch) begin() {
	for _, p := range w.processes {
		p.look()
	}
	w.meter.Lately()
	w.busy, _ = bench.BusySeconds()
	w.began, w.before = time.Now(), w.count()
	w.last, w.course.Began = w.began, w.began
}

// run looks every second until ctx ends, and a last time then; tell is told each moment.
func (w *watch) run(ctx context.Context, tell func(Moment)) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for ctx.Err() == nil {
		select {
		case <-ctx.Done():
		case <-ticker.C:
		}
		if time.Since(w.last) > time.Second/2 || ctx.Err() == nil { // a shorter stretch has rates that mean nothing
			tell(w.moment(time.Now()))
		}
	}
}

func (w *watch) moment(now time.Time) Moment {
	after, seconds := w.count(), now.Sub(w.last).Seconds()
	rate := func(after, before int64) float64 { return float64(after-before) / seconds }
	b := w.before
	m := Moment{
		At: now.Sub(w.began).Seconds(), Connected: w.stats.Connected.Load(), Latency: w.meter.Lately(),
		Due: rate(after.due, b.due), Acked: rate(after.acked, b.acked), Delivered: rate(after.shown, b.shown), Paged: rate(after.paged, b.paged),
		Reconnects: rate(after.reconnects, b.reconnects), Errors: rate(after.errors, b.errors), Processes: map[string]Usage{},
	}
	measured := w.last.Sub(w.began) >= w.warm
	busy, _ := bench.BusySeconds()
	if measured {
		w.course.Seconds += seconds
		w.course.Busy += busy - w.busy // seconds, until the end
		w.course.Due += after.due - b.due
		w.course.Messages += after.acked - b.acked
		w.course.Deliveries += after.shown - b.shown
	}
	for _, name := range w.names {
		used, bytes := w.processes[name].look()
		m.Processes[name] = Usage{used / seconds, bytes}
		if measured {
			w.processes[name].cost.CPU += used
		}
	}
	w.last, w.before, w.busy = now, after, busy
	w.course.Moments = append(w.course.Moments, m)
	return m
}

// end is the course, once run has returned.
func (w *watch) end(devices int) Course {
	c := w.course
	c.Devices, c.Late = devices, w.meter.late.quantiles(false)
	c.Busy /= max(c.Seconds, 1e-9)
	for _, name := range w.names {
		cost := w.processes[name].cost
		if c.Messages > 0 {
			cost.PerMessage = cost.CPU / float64(c.Messages) * 1e6
		}
		if c.Deliveries > 0 {
			cost.PerDelivery = cost.CPU / float64(c.Deliveries) * 1e6
		}
		c.Costs = append(c.Costs, cost)
	}
	return c
}
