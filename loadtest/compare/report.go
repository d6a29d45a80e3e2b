package main

import (
	"fmt"
	"strings"

	"github.com/dozaar/dozaar/loadtest/bench"
	"github.com/dozaar/dozaar/loadtest/chart"
)

// target is what is to be reached, as a ratio in one run.
type target struct {
	title, name string
	of, to      string
	most, least float64 // one of both
}

func targets() []target {
	return []target{
		{"own CPU a delivery, one big room", "room cpu a delivery", dozaar, node, 0.35, 0},
		{"own CPU a delivery, one big room", "room cpu a delivery", dozaar, centrifuge, 0.5, 0},
		{"own CPU a message, marketplace at equal load; the rival stores nothing", "paced cpu", dozaar, node, 1, 0},
		{"own CPU a message, marketplace at equal load", "paced cpu", dozaar, nest, 0.35, 0},
		{"messages a second, saturated", saturatedRate, dozaar, nest, 0, 3},
		{"p99 at equal load; the rival stores nothing", "paced p99", dozaar, node, 1, 0},
		{"memory a socket", "bytes a socket", dozaar, node, 0.8, 0},
	}
}

// ratio is the median of the rounds' ratios; false: one of both was not measured.
func (r *results) ratio(t target) (float64, bool) {
	var ratios []float64
	for _, ours := range r.samples[key{t.of, t.name}] {
		for _, rival := range r.samples[key{t.to, t.name}] {
			if rival.round == ours.round && rival.value > 0 {
				ratios = append(ratios, ours.value/rival.value)
			}
		}
	}
	if len(ratios) == 0 {
		return 0, false
	}
	return bench.Median(ratios), true
}

func report(p plan, chosen []system, r *results) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Measured on: %s.\n\n", strings.Join(bench.Machine(), "; "))
	for _, s := range chosen {
		fmt.Fprintf(&b, "- **%s**: %s\n", s.name, s.what)
	}
	head := "\n| what is to be reached, medians of the rounds' ratios | ratio | of | target |\n|---|--:|---|---|\n"
	for _, t := range targets() {
		ratio, measured := r.ratio(t)
		if !measured {
			continue
		}
		b.WriteString(head)
		head = ""
		sign, goal, met := "≤", t.most, ratio <= t.most
		if t.least > 0 {
			sign, goal, met = "≥", t.least, ratio >= t.least
		}
		verdict := "MISSED"
		if met {
			verdict = "met"
		}
		fmt.Fprintf(&b, "| %s | %.2f | %s ÷ %s | %s %g %s |\n", t.title, ratio, t.of, t.to, sign, goal, verdict)
	}
	r.table(&b, chosen, fmt.Sprintf("marketplace: %d conversations of two, %g messages a second", p.conversations, p.rate), cost("paced"))
	r.table(&b, chosen, fmt.Sprintf("the same, as many as can be, %d under way", p.window), append([]line{{"messages a second", saturatedRate, "%.0f"}}, cost("saturated")...))
	r.table(&b, chosen, fmt.Sprintf("one big room: %d members, %g messages a second", p.room, p.roomRate), append([]line{{"own CPU, µs a delivery", "room cpu a delivery", "%.2f"}}, cost("room")...))
	r.table(&b, chosen, fmt.Sprintf("idle: %d sockets", p.idle), []line{
		{"memory of the own processes, bytes a socket", "bytes a socket", "%.0f"},
		{"own CPU until a socket is connected and has joined, µs", "arrival cpu", "%.0f"},
	})
	r.table(&b, chosen, "what the client found, all rounds of these scenarios together", []line{
		{"messages", "paced sent,saturated sent,room sent", ""},
		{"· that did not come to all", "paced lost,saturated lost,room lost", ""},
		{"· that came twice", "paced twice,saturated twice,room twice", ""},
		{"· out of order", "paced reordered,saturated reordered,room reordered", ""},
		{"· with another text or conversation", "paced altered,saturated altered,room altered", ""},
		{"· that were refused, and connections that ended", "paced refused,saturated refused,room refused", ""},
		besides,
	})
	return b.String()
}

// reportOthers is how the other scenarios went.
func reportOthers(p plan, chosen []system, r *results) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Measured on: %s. Medians of %d rounds.\n", strings.Join(bench.Machine(), "; "), p.rounds)
	r.table(&b, chosen, fmt.Sprintf("reconnect storm: %d of %d sockets are cut at once, and come back as the official client does", p.idle/2, p.idle), []line{
		{"until the last one is back and has joined, s", "storm seconds", "%.1f"},
		{"each by itself, from its first try until it has joined, p50 ms", "storm p50", "%.2f"},
		{"· p99", "storm p99", "%.2f"},
		{"tries that came to nothing, all rounds together", "storm failed", ""},
		{"own CPU, µs a socket", "storm cpu", "%.0f"},
	})
	found := func(scenario string) []line {
		return []line{
			{"messages, all rounds together", scenario + " sent", ""},
			{"· that did not come to all", scenario + " lost", ""},
			{"· that came twice or out of order", scenario + " twice," + scenario + " reordered", ""},
			{"· with another text or conversation", scenario + " altered", ""},
			{"· that were refused, and connections that ended", scenario + " refused", ""},
			{"send to all recipients, of those that came, p50 ms", scenario + " p50", "%.2f"},
			{"· p99", scenario + " p99", "%.2f"},
			{"· the longest", scenario + " max", "%.0f"},
		}
	}
	r.table(&b, chosen, fmt.Sprintf("deploy: the recipients' server is started again, %d conversations of two, %d messages a second", p.conversations, deployRate), append(found("deploy"), []line{
		{"a recipient is away until they have joined at the other server, p50 ms", "deploy away p50", "%.0f"},
		{"· the longest", "deploy away max", "%.0f"},
	}...))
	r.table(&b, chosen, fmt.Sprintf("slow readers: %d rooms of %d, %d of whom read %d bytes a second; %d messages a second of %d bytes; those who are not slow",
		slowRooms.conversations, slowRooms.members, slowRooms.slow, slowSpeed, slowRate, slowBytes), append(found("slow"), []line{
		{"· where nobody is slow, p50", "none slow p50", "%.2f"},
		{"· p99", "none slow p99", "%.2f"},
		{fmt.Sprintf("slow readers that were cut off, of %d in each round", slowRooms.conversations*slowRooms.slow), "slow cut", "%.0f"},
		{"memory that the own processes have more after it, MB", "slow memory", "%.0f"},
		besides,
	}...))
	return b.String()
}

// explanation is where Dozaar's memory and CPU go, by function.
func explanation(r *results) string {
	return fmt.Sprintf("What is in use of one gateway, with half of the idle sockets, after a collection:\n\n```\n%s```\n\n%s",
		r.heap, strings.Join(r.cpu, "\n"))
}

// plots are the figures that matter most, as bars.
func plots(p plan, chosen []system, r *results) string {
	var all []chart.Chart
	for _, c := range []struct {
		title, name, unit string
		times             float64 // to get the unit
	}{
		{fmt.Sprintf("own CPU, µs a message, %g/s, conversations of two", p.rate), "paced cpu", "", 1},
		{"messages a second, saturated", saturatedRate, "ops", 1},
		{fmt.Sprintf("send to all recipients, p50, %g/s", p.rate), "paced p50", "s", 1e-3},
		{"· p99", "paced p99", "s", 1e-3},
		{fmt.Sprintf("own CPU, µs a delivery, a room of %d", p.room), "room cpu a delivery", "", 1},
		{"memory of a silent socket, KiB", "bytes a socket", "", 1. / 1024},
	} {
		plot := chart.Chart{Title: c.title, Unit: c.unit}
		for _, s := range chosen {
			if values := r.of(s.name, c.name); len(values) > 0 {
				plot.Bars = append(plot.Bars, chart.Bar{Name: s.name, Is: bench.Median(values) * c.times})
			}
		}
		all = append(all, plot)
	}
	return chart.Draw(all)
}

// besides is what was found where nothing was measured.
var besides = line{"faults of any kind at other times, of all scenarios: who comes, warms up, is idle or leaves", "besides", ""}

// line is a row: how its median is written; where format is empty it is the sum, of all names between commas.
type line struct{ title, name, format string }

func cost(scenario string) []line {
	return []line{
		{"**own CPU, µs a message**", scenario + " cpu", "**%.0f**"},
		{"CPU of Kafka", scenario + " cpu kafka", "%.0f"},
		{"CPU of Cassandra", scenario + " cpu cassandra", "%.0f"},
		{"CPU of Redis", scenario + " cpu redis", "%.0f"},
		{"send to acknowledgement, p50 ms", scenario + " acknowledged p50", "%.2f"},
		{"send to all recipients, p50 ms", scenario + " p50", "%.2f"},
		{"· p99", scenario + " p99", "%.2f"},
		{"· p99.9", scenario + " p99.9", "%.2f"},
	}
}

func (r *results) table(b *strings.Builder, chosen []system, title string, lines []line) {
	fmt.Fprintf(b, "\n| %s | %s |\n|---%s|\n", title, strings.Join(names(chosen), " | "), strings.Repeat("|--:", len(chosen)))
	for _, l := range lines {
		b.WriteString("| " + l.title)
		for _, s := range chosen {
			b.WriteString(" | " + r.cell(s.name, l))
		}
		b.WriteString(" |\n")
	}
}

func (r *results) cell(system string, l line) string {
	if l.format != "" {
		if values := r.of(system, l.name); len(values) > 0 {
			return fmt.Sprintf(l.format, bench.Median(values))
		}
		return ""
	}
	sum, measured := 0.0, false
	for name := range strings.SplitSeq(l.name, ",") {
		for _, value := range r.of(system, name) {
			sum, measured = sum+value, true
		}
	}
	if !measured {
		return ""
	}
	return fmt.Sprintf("%.0f", sum)
}
