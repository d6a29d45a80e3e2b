package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/dozaar/dozaar/loadtest/bench"
	"github.com/dozaar/dozaar/loadtest/history"
	"github.com/dozaar/dozaar/loadtest/load"
)

// pagePath is where the table goes.
const pagePath = "docs/reliability.md"

// quietEnough is the share of the time before the fault in which messages must have flowed, if times are to mean something.
const quietEnough = 0.8

// row is what came of one round.
type row struct {
	When       time.Time             `json:"when"`
	Revision   string                `json:"revision,omitempty"`
	Machine    string                `json:"machine"`
	Kind       string                `json:"kind"`
	Set        string                `json:"set"`
	Seed       uint64                `json:"seed"`
	Round      int                   `json:"round"`
	Rate       float64               `json:"rate"` // asked for
	Counts     history.Counts        `json:"counts"`
	Findings   map[history.Fault]int `json:"findings"`
	Incomplete []string              `json:"incomplete,omitempty"`
	Stuck      []string              `json:"stuck,omitempty"` // processes that were not there any more at the end
	measured
}

func newRow(ctx context.Context, o options, k kind, n int, plan load.Plan, result load.Result) (row, error) {
	m, err := measure(history.File(plan.History), k.total)
	return row{
		When: time.Now().UTC().Truncate(time.Second), Revision: revision(ctx), Machine: strings.Join(bench.Machine(), ", "), Kind: k.name, Set: k.set,
		Seed: o.seed, Round: n + 1, Rate: plan.Rate, Counts: result.Verdict.Counts, Findings: result.Verdict.Findings,
		Incomplete: result.Verdict.Incomplete, measured: m,
	}, err
}

// revision is the commit of the checkout; a "+" says that it is not that alone.
func revision(ctx context.Context) string {
	out, err := exec.CommandContext(ctx, "git", "describe", "--always", "--abbrev=12", "--exclude=*", "--dirty=+").Output()
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

func (r row) exitCode() int {
	switch {
	case len(r.Findings) > 0 || len(r.Stuck) > 0:
		return 1
	case len(r.Incomplete) > 0:
		return 2
	}
	return 0
}

// String is one line for people.
func (r row) String() string {
	verdict := "clean"
	if len(r.Findings)+len(r.Incomplete)+len(r.Stuck) > 0 {
		verdict = fmt.Sprintf("FOUND %v %v %v", r.Findings, r.Incomplete, r.Stuck)
	}
	recovery := "not recovered before the load ended"
	if r.Recovery != nil {
		recovery = "recovered in " + r.Recovery.Round(time.Second/10).String()
	}
	return fmt.Sprintf("%s: %s; %d acknowledged, %d shown; %.0f/s before the fault (%.0f%% of it flowing), %s, longest outage %s, %d relapses",
		r.Kind, verdict, r.Counts.Acked, r.Counts.Shown, r.Reached, 100*r.Quiet, recovery, r.Outage, r.Relapses)
}

// append adds the row to a file.
func (r row) append(path string) error {
	line, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return appendTo(path, append(line, '\n'))
}

// appendTo adds to a file. With no text it only sees whether that can be done.
func appendTo(path string, text []byte) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644) //nolint:gosec // results are for everybody
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	if closing := file.Close(); err == nil {
		err = closing
	}
	return err
}

func readRows(path string) (rows []row, err error) {
	file, err := os.Open(path) //nolint:gosec // whoever runs this names the file
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var r row
		if err := json.Unmarshal(lines.Bytes(), &r); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		rows = append(rows, r)
	}
	return rows, lines.Err()
}

// publish writes the table of all results into the page.
func publish(path string) error {
	rows, err := readRows(path)
	if err != nil {
		return err
	}
	return bench.Publish(pagePath, "measured", table(rows))
}

// columns are the faults of a history that have a column of their own; the others are counted together.
var columns = []history.Fault{
	history.Lost, history.Duplicated, history.Reordered, history.Gap, history.Phantom, history.Foreign, history.Unstored, history.Disagreeing, history.WrongUnread,
}

// table has a line for each kind, in the order of kinds.
func table(rows []row) string {
	byKind := map[string][]row{}
	machines := map[string]bool{}
	for _, r := range rows {
		byKind[r.Kind] = append(byKind[r.Kind], r)
		machines[r.Machine] = true
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s.\n\n", strings.Join(slices.Sorted(maps.Keys(machines)), "; "))
	b.WriteString("| fault | rounds | messages, deliveries |")
	for _, c := range columns {
		fmt.Fprintf(&b, " %s |", c)
	}
	b.WriteString(" others | not read back | messages a second | recovery: median, worst | longest outage |\n|---|---|---|" + strings.Repeat("---|", len(columns)+5) + "\n")
	for _, k := range kinds() {
		if rows := byKind[k.name]; len(rows) > 0 {
			b.WriteString(line(k, rows))
		}
	}
	return b.String()
}

func line(k kind, rows []row) string {
	var b strings.Builder
	var acked, shown int64
	found := map[history.Fault]int{}
	others, incomplete, unrecovered, unmeasured := 0, 0, 0, 0
	var recoveries []time.Duration
	var outage time.Duration
	var reached []float64
	for _, r := range rows {
		acked += r.Counts.Acked
		shown += r.Counts.Shown
		for f, n := range r.Findings {
			found[f] += n
			if !slices.Contains(columns, f) {
				others += n
			}
		}
		others += len(r.Stuck)
		incomplete += len(r.Incomplete)
		reached = append(reached, r.Reached)
		if r.Quiet < quietEnough {
			unmeasured++
			continue
		}
		outage = max(outage, r.Outage)
		if r.Recovery == nil {
			unrecovered++
			continue
		}
		recoveries = append(recoveries, *r.Recovery)
	}
	fmt.Fprintf(&b, "| %s: %s | %d | %d, %d |", k.name, k.what, len(rows), acked, shown)
	for _, c := range columns {
		fmt.Fprintf(&b, " %d |", found[c])
	}
	longest := ""
	if unmeasured < len(rows) {
		longest = fmt.Sprintf("%.1f s", outage.Seconds())
	}
	fmt.Fprintf(&b, " %d | %d | %.0f to %.0f | %s | %s |\n", others, incomplete, slices.Min(reached), slices.Max(reached), times(k, recoveries, unrecovered, unmeasured), longest)
	return b.String()
}

// times tells of recovery.
func times(k kind, recoveries []time.Duration, unrecovered, unmeasured int) string {
	var parts []string
	if n := len(recoveries); n > 0 {
		slices.Sort(recoveries)
		part := fmt.Sprintf("%.1f s, %.1f s", recoveries[n/2].Seconds(), recoveries[n-1].Seconds())
		if k.total {
			part += " after healing"
		}
		if k.within > 0 && recoveries[n-1] > k.within {
			part += fmt.Sprintf(" (more than %s)", k.within)
		}
		parts = append(parts, part)
	}
	if unrecovered > 0 {
		parts = append(parts, fmt.Sprintf("not before the load ended: %d", unrecovered))
	}
	if unmeasured > 0 {
		parts = append(parts, fmt.Sprintf("machine too busy: %d", unmeasured))
	}
	return strings.Join(parts, "; ")
}
