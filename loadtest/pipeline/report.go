package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"

	"github.com/dozaar/dozaar/loadtest/bench"
	"github.com/dozaar/dozaar/loadtest/stack"
)

// A line of a table: what it is called there, under which name it was measured, and how it is printed.
type line struct{ title, name, format string }

// floors are what is summed up as the floor of a message: its record, its rows, its entries in the relay, and
// the frames.
var floors = []string{"kafka", "message", "redis", "sockets"}

// reads are what the pipeline asks Cassandra for besides.
var reads = []string{"read", "inboxes"}

func costs(names []string) (clients []string) {
	for _, name := range names {
		clients = append(clients, "floor "+name+" client")
	}
	return clients
}

func p50s(names ...string) (p50s []string) {
	for _, name := range names {
		p50s = append(p50s, "floor "+name+" p50")
	}
	return p50s
}

// report is all tables but that of the ranges.
func (s *stage) report() string {
	return strings.Join([]string{s.targets(), s.ours(), s.waited(), s.raw(), s.rows(), s.tried(), s.counted(), s.still()}, "\n")
}

// target is one of the promises, and how it is measured.
type target struct {
	title string
	most  bool // the ratio is to be at most so much, else at least
	limit float64
	only  func(rate) bool
	name  string
	to    []string
}

func targets() []target {
	paced := func(r rate) bool { return r > 0 }
	saturated := func(r rate) bool { return r == 0 }
	return []target{
		{"own CPU per message ÷ the raw clients' for the same record, rows and entries, and the bare websocket writes", true, 1.5, nil, "cpu own", costs(floors)},
		{"· the same, the two reads being part of the floor", true, 0, nil, "cpu own", costs(append(floors[:len(floors):len(floors)], reads...))},
		{"p50, send to `new:message` at both ÷ the sum of the raw round trips", true, 1.5, paced, "pipeline p50", p50s(floors...)},
		{"· the same, the look-up by id before the rows and the head after them being part of the sum", true, 0, paced, "pipeline p50", p50s(append(floors[:len(floors):len(floors)], "read", "message row")...)},
		{"· the same as the target, the driver holding no request back", true, 0, paced, "pipeline p50", p50s("kafka", promptly, "redis", "sockets")},
		{"messages a second ÷ what raw inserts of the same rows reach", false, 0.6, saturated, "pipeline rate", []string{"floor message rate"}},
	}
}

// verdict says whether a target is met. A pipeline that falls behind a rate has missed what is promised at that rate;
// where a floor does, its times are those of a queue that grows, and nothing can be said.
func (t target) verdict(ratio float64, slowPipeline, slowFloor bool) string {
	if t.limit == 0 {
		return ""
	}
	sign, met := "≥", ratio >= t.limit
	if t.most {
		sign, met = "≤", ratio <= t.limit
	}
	word := "MISSED"
	switch {
	case slowPipeline:
	case slowFloor:
		word = "undecided"
	case met:
		word = "met"
	}
	return fmt.Sprintf("%s %g %s", sign, t.limit, word)
}

func (s *stage) targets() string {
	var b strings.Builder
	b.WriteString("| targets, medians of the rounds' ratios | ratio | at | target |\n|---|--:|---|---|\n")
	for _, t := range targets() {
		for _, r := range s.plan.rates {
			if t.only != nil && !t.only(r) {
				continue
			}
			if ratio, ok := s.results.ratio(r, t.name, t.to...); ok {
				pipeline, floors := s.behind(r, []string{t.name}), s.behind(r, t.to)
				notes := append([]string{t.verdict(ratio, len(pipeline) > 0, len(floors) > 0)}, append(pipeline, floors...)...)
				fmt.Fprintf(&b, "| %s | %.2f | %s | %s |\n", t.title, ratio, r, strings.Trim(strings.Join(notes, "; "), "; "))
			}
		}
	}
	return b.String()
}

// keptUp is how much of a rate counts as all of it.
const keptUp = 0.97

// behind tells which of some did not keep up with a rate. Redis has no rate of its own: entries for a message vary.
func (s *stage) behind(r rate, names []string) (slow []string) {
	if r == 0 {
		return nil
	}
	for _, name := range names {
		name = strings.TrimSuffix(strings.TrimSuffix(name, " client"), " p50")
		if name == "cpu own" {
			name = "pipeline"
		}
		values := s.results.values[r][name+" rate"]
		if len(values) > 0 && name != "floor redis" && bench.Median(values) < keptUp*float64(r) {
			slow = append(slow, fmt.Sprintf("%s reached %.0f/s", name, bench.Median(values)))
		}
	}
	return slow
}

// ours is what the product did.
func (s *stage) ours() string {
	lines := []line{
		{"messages a second, at both recipients", "pipeline rate", "%.0f"},
		{"send to acknowledgement, p50 ms", "ack p50", "%.1f"},
		{"· p99", "ack p99", "%.1f"},
		{"send to `new:message` at both recipients, p50 ms", "pipeline p50", "%.1f"},
		{"· p99", "pipeline p99", "%.1f"},
	}
	for _, name := range stack.Roles {
		lines = append(lines, line{"CPU of " + name + ", µs a message", "cpu " + name, "%.0f"})
	}
	lines = append(lines,
		line{"**CPU of our processes together**", "cpu own", "%.0f"},
		line{"CPU of Kafka", "cpu kafka", "%.0f"},
		line{"CPU of Cassandra", "cpu cassandra", "%.0f"},
		line{"CPU of Redis", "cpu redis", "%.0f"},
		line{"CPU of the client", "cpu client", "%.0f"},
		line{"entries in the relay a message, of both gateways", "entries", "%.2f"},
	)
	return s.table(fmt.Sprintf("the pipeline, medians of %d", s.plan.rounds), lines)
}

func (s *stage) table(title string, lines []line) string {
	var b strings.Builder
	head(&b, title, s.plan)
	for _, l := range lines {
		b.WriteString("| " + l.title)
		for _, r := range s.plan.rates {
			b.WriteString(" | " + s.results.cell(r, l.name, l.format))
		}
		b.WriteString(" |\n")
	}
	return b.String()
}

// raw is what the floors did.
func (s *stage) raw() string {
	var lines []line
	for _, f := range []struct{ name, title, engine string }{
		{"kafka", "Kafka, produce and consume", "Kafka"},
		{"message", "Cassandra, all rows of a message at once", "Cassandra"},
		{promptly, "Cassandra, the same, the driver holding no request back", "Cassandra"},
		{"message row", "Cassandra, one row a message", "Cassandra"},
		{"read", "Cassandra, look-up by id", "Cassandra"},
		{"inboxes", "Cassandra, look-up of who has a copy of the head", "Cassandra"},
		{"redis", "Redis, XADD and XREAD of as many entries", "Redis"},
		{"sockets", "bare websockets", ""},
	} {
		lines = append(lines,
			line{f.title + ": a second", "floor " + f.name + " rate", "%.0f"},
			line{"· p50 ms", "floor " + f.name + " p50", "%.2f"},
			line{"· CPU of the client, µs a message", "floor " + f.name + " client", "%.1f"})
		if f.engine != "" {
			lines = append(lines, line{"· CPU of " + f.engine, "floor " + f.name + " engine", "%.0f"})
		}
	}
	text := s.table("the floor", lines)
	for _, sum := range []struct {
		title string
		names []string
	}{
		{"**CPU of the raw clients together**: record, rows, entries, frames", costs(floors)},
		{"CPU of the two look-ups besides", costs(reads)},
		{"**sum of the round trips**, p50 ms", p50s(floors...)},
	} {
		text += "| " + sum.title
		for _, r := range s.plan.rates {
			text += fmt.Sprintf(" | %.1f", s.results.sum(r, sum.names...))
		}
		text += " |\n"
	}
	return text
}

// rows is what each row costs that a message is stored by.
func (s *stage) rows() string {
	var b strings.Builder
	b.WriteString("| rows of a message, each by itself, saturated | of them | inserts a second | client µs | Cassandra µs | why |\n|---|--:|--:|--:|--:|---|\n")
	for _, r := range storedRows() {
		fmt.Fprintf(&b, "| %s | %d", r.name, r.each)
		for _, what := range []string{"rate", "client", "engine"} {
			b.WriteString(" | " + s.results.cell(0, "floor "+r.name+" "+what, "%.0f"))
		}
		b.WriteString(" | " + r.why + " |\n")
	}
	return b.String()
}

// tried is what other ways to store a message would cost.
func (s *stage) tried() string {
	var b strings.Builder
	b.WriteString("| ways to store a message, raw, saturated | writes | messages a second | client µs | Cassandra µs | of the client's CPU for all rows | of Cassandra's |\n|---|--:|--:|--:|--:|--:|--:|\n")
	for _, v := range variants() {
		fmt.Fprintf(&b, "| %s | %d", v.title, len(v.statements(posted{})))
		for _, what := range []string{"rate", "client", "engine"} {
			b.WriteString(" | " + s.results.cell(0, "floor "+v.name+" "+what, "%.0f"))
		}
		for _, what := range []string{"client", "engine"} {
			b.WriteString(" | ")
			if part, ok := s.results.ratio(0, "floor "+v.name+" "+what, "floor message "+what); ok {
				fmt.Fprintf(&b, "%.0f %%", part*100)
			}
		}
		b.WriteString(" |\n")
	}
	return b.String()
}

// counted is what Cassandra says that it has done for a message.
func (s *stage) counted() string {
	var lines []line
	for _, kind := range []string{"write", "read"} {
		for _, table := range []string{"messages", "message_ids", "heads", "inbox", "conversations"} {
			lines = append(lines, line{kind + "s of " + table, "table " + kind + " " + table, "%.2f"})
		}
	}
	return s.table("by Cassandra's own count, a message (a batch of one partition is one)", lines)
}

// still is what everybody uses while nothing is sent.
func (s *stage) still() string {
	var b strings.Builder
	fmt.Fprintf(&b, "| CPU while %d sockets are silent, ms a second | |\n|---|--:|\n", s.plan.conversations*(1+recipients))
	for _, name := range append(stack.Roles[:len(stack.Roles):len(stack.Roles)], "kafka", "cassandra", "redis") {
		fmt.Fprintf(&b, "| %s | %s |\n", name, s.results.cell(idle, "cpu "+name, "%.0f"))
	}
	return b.String()
}

// machine tells what was measured and on what.
func (s *stage) machine() string {
	parts := bench.Machine("github.com/twmb/franz-go", "github.com/gocql/gocql", "github.com/redis/go-redis/v9", "github.com/gorilla/websocket")
	pom, _ := os.ReadFile("deploy/engines/pom.xml")
	for _, engine := range []string{"kafka", "cassandra"} {
		if found := regexp.MustCompile(`<` + engine + `\.version>([^<]+)<`).FindSubmatch(pom); found != nil {
			parts = append(parts, engine+" "+string(found[1]))
		}
	}
	if said, err := exec.CommandContext(context.Background(), "redis-server", "--version").Output(); err == nil {
		if found := regexp.MustCompile(`v=(\S+)`).FindSubmatch(said); found != nil {
			parts = append(parts, "redis "+string(found[1]))
		}
	}
	return "Measured on: " + strings.Join(parts, "; ") + ".\n"
}
