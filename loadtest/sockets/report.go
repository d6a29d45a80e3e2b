package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dozaar/dozaar/loadtest/bench"
)

// metric is one line of the report.
type metric struct {
	name   string
	format string
	target float64 // of ours to Node's
	atMost bool    // less is better, and target is the most
}

var (
	smallIdle = idleMetrics{
		&metric{name: "RSS per idle connection, %[1]d of them, KiB", format: "%.1f", target: 0.8, atMost: true},
		&metric{name: "the same after a full collection, KiB", format: "%.1f", target: 0.8, atMost: true},
		&metric{name: "connections of %[1]d that hung", format: "%.0f", atMost: true},
	}
	bigIdle = idleMetrics{
		&metric{name: "RSS per idle connection, %[2]d of them, KiB", format: "%.1f", target: 0.8, atMost: true},
		&metric{name: "the same after a full collection, KiB", format: "%.1f", target: 0.8, atMost: true},
		&metric{name: "connections of %[2]d that hung", format: "%.0f", atMost: true},
	}
	afterSpeaking = &metric{name: "the same when each of %[1]d has had an event acknowledged, KiB", format: "%.1f", target: 0.8, atMost: true}
	connects      = &metric{name: "connects per CPU-second", format: "%.0f", target: 3}
	echoMany      = &metric{name: "echoes with ack per CPU-second, %[4]d at a time", format: "%.0f", target: 2.5}
	echoOne       = &metric{name: "echoes with ack per CPU-second, one at a time", format: "%.0f", target: 2.5}
	flood         = &metric{name: "CPU-seconds per million room deliveries, flood", format: "%.2f", target: 0.25, atMost: true}
	paced         = &metric{name: "CPU-seconds per million room deliveries, one message every %[3]s", format: "%.2f", target: 0.8, atMost: true}
	lost          = &metric{name: "room deliveries lost", format: "%.0f", atMost: true}
	heapLeft      = &metric{name: "heap left after %[1]d had gone, KiB", format: "%.0f", atMost: true}
	runningLeft   = &metric{name: "goroutines (in Node resources) left", format: "%.0f", atMost: true}

	allMetrics = []*metric{
		smallIdle.settled, smallIdle.collected, afterSpeaking, bigIdle.settled, bigIdle.collected, connects, echoMany, echoOne,
		flood, paced, lost, heapLeft, runningLeft, smallIdle.hung, bigIdle.hung,
	}
)

type idleMetrics struct{ settled, collected, hung *metric }

func (m *metric) title(p plan) string {
	// Every verb is indexed, so that a name takes what it needs.
	return strings.SplitN(fmt.Sprintf(m.name, p.idle[0], p.idle[1], p.every, p.window), "%!(EXTRA", 2)[0]
}

// results are the samples of all rounds.
type results map[*metric]map[string][]float64

func (r results) add(m *metric, server string, value float64) {
	if r[m] == nil {
		r[m] = make(map[string][]float64)
	}
	r[m][server] = append(r[m][server], value)
}

// ratio compares two servers round by round, and takes the middle one of what came out: a round in
// which the machine had other things to do weighs on both sides.
func (r results) ratio(m *metric, server, to string) (float64, bool) {
	a, b := r[m][server], r[m][to]
	var ratios []float64
	for i := range min(len(a), len(b)) {
		if b[i] != 0 {
			ratios = append(ratios, a[i]/b[i])
		}
	}
	if len(ratios) == 0 {
		return 0, false
	}
	return bench.Median(ratios), true
}

func (m *metric) verdict(ratio float64) string {
	if m.target == 0 {
		return ""
	}
	sign, met := "≥", ratio >= m.target
	if m.atMost {
		sign, met = "≤", ratio <= m.target
	}
	if met {
		return fmt.Sprintf("%s %g met", sign, m.target)
	}
	return fmt.Sprintf("%s %g MISSED", sign, m.target)
}

// table is the medians, and what ours are to Node's.
func table(p plan, r results) string {
	var b strings.Builder
	b.WriteString("| medians of " + fmt.Sprint(p.rounds))
	for _, s := range p.servers {
		b.WriteString(" | " + s)
	}
	b.WriteString(" | layer ÷ node | target |\n|---" + strings.Repeat("|--:", len(p.servers)) + "|--:|---|\n")
	for _, m := range allMetrics {
		if r[m] == nil { // its scenario was left out
			continue
		}
		b.WriteString("| " + m.title(p))
		for _, s := range p.servers {
			b.WriteString(" | " + fmt.Sprintf(m.format, bench.Median(r[m][s])))
		}
		ratio, ok := r.ratio(m, "layer", "node")
		if ok && m.target != 0 {
			fmt.Fprintf(&b, " | %.2f | %s |\n", ratio, m.verdict(ratio))
		} else {
			b.WriteString(" | | |\n")
		}
	}
	return b.String()
}

// ranges is the least and the most of each measure.
func ranges(p plan, r results) string {
	var b strings.Builder
	b.WriteString("| least to most")
	for _, s := range p.servers {
		b.WriteString(" | " + s)
	}
	b.WriteString(" |\n|---" + strings.Repeat("|--:", len(p.servers)) + "|\n")
	for _, m := range allMetrics {
		b.WriteString("| " + m.title(p))
		for _, s := range p.servers {
			b.WriteString(" | " + fmt.Sprintf(m.format+" – "+m.format, slices.Min(r[m][s]), slices.Max(r[m][s])))
		}
		b.WriteString(" |\n")
	}
	return b.String()
}
