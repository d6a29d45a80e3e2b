package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/dozaar/dozaar/loadtest/stack"
)

// wait is something that a message waits for, or its slice, as a process measures it itself.
type wait struct {
	title, process string
	name, labels   string // of the histogram, labels in the order in which they are exported
}

func waits() []wait {
	step := func(title, name string) wait {
		return wait{title, stack.Deliver, "dozaar_deliver_step_seconds", `{outcome="ok",step="` + name + `"}`}
	}
	return []wait{
		{"gateway A: Kafka has the record", stack.GatewayA, "dozaar_kafka_produce_duration_seconds", `{topic="` + messagesTopic + `"}`},
		{"deliver: from the record's time (whole milliseconds) until it is stored, all of this:", stack.Deliver, "dozaar_deliver_produced_to_stored_seconds", ""},
		step("· look-up by id", "stored_by_id"),
		step("· then the message's rows", "put_messages"),
		step("· · beside them, the read mark", "put_read_marks"),
		step("· then the head", "put_heads"),
		step("deliver: then who owns the room and the members, and the relay has it", "rebroadcast"),
		step("· beside it, waited for a tenth of a second at most: the inbox rows, with their look-up", "put_inboxes"),
		{"gateway B: then the relay's entry is read (whole milliseconds)", stack.GatewayB, "dozaar_relay_lag_seconds", ""},
	}
}

// total is what a histogram has seen.
type total struct{ seconds, count float64 }

// totals reads what has been waited for so far, in the order of waits.
func totals(ctx context.Context, p *stack.Product) ([]total, error) {
	all := make([]total, len(waits()))
	for i, w := range waits() {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.Named(w.process).Admin+"/metrics", nil)
		if err != nil {
			return nil, err
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return nil, err
		}
		all[i], err = totalOf(response.Body, w)
		if closed := response.Body.Close(); err == nil {
			err = closed
		}
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// totalOf finds a histogram in what a process exports. One that has seen nothing may not be there yet.
func totalOf(metrics io.Reader, w wait) (t total, err error) {
	lines := bufio.NewScanner(metrics)
	for lines.Scan() && err == nil {
		if text, ok := strings.CutPrefix(lines.Text(), w.name+"_sum"+w.labels+" "); ok {
			t.seconds, err = strconv.ParseFloat(text, 64)
		} else if text, ok := strings.CutPrefix(lines.Text(), w.name+"_count"+w.labels+" "); ok {
			t.count, err = strconv.ParseFloat(text, 64)
		}
	}
	if err == nil {
		err = lines.Err()
	}
	return t, err
}

// noteWaits adds what was waited for between two looks, in milliseconds.
func (s *stage) noteWaits(r rate, before, now []total) {
	for i, w := range waits() {
		if n := now[i].count - before[i].count; n > 0 {
			s.results.add(r, "wait "+w.title, (now[i].seconds-before[i].seconds)/n*1e3)
		}
	}
}

// waited is what a message waits for.
func (s *stage) waited() string {
	var lines []line
	for _, w := range waits() {
		lines = append(lines, line{w.title, "wait " + w.title, "%.2f"})
	}
	return s.table(fmt.Sprintf("what a message waits for, mean ms by the processes' own histograms, medians of %d", s.plan.rounds), lines)
}
