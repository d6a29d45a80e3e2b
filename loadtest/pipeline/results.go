package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/dozaar/dozaar/loadtest/bench"
)

// results are the samples of all rounds, by rate and name, and what the floors take from the pipeline.
type results struct {
	values  map[rate]map[string][]float64
	entries map[rate][][]string
}

func newResults() results {
	return results{map[rate]map[string][]float64{}, map[rate][][]string{}}
}

func (r results) add(at rate, name string, value float64) {
	if r.values[at] == nil {
		r.values[at] = map[string][]float64{}
	}
	r.values[at][name] = append(r.values[at][name], value)
}

// cell is the median as text, or nothing where it was not measured.
func (r results) cell(at rate, name, format string) string {
	if values := r.values[at][name]; len(values) > 0 {
		return fmt.Sprintf(format, bench.Median(values))
	}
	return ""
}

// ratio compares what was measured with the sum of others, round by round, and takes the middle one: a round in
// which the machine had other things to do weighs on both sides.
func (r results) ratio(at rate, name string, to ...string) (float64, bool) {
	var ratios []float64
	for i, value := range r.values[at][name] {
		sum := 0.0
		for _, other := range to {
			if len(r.values[at][other]) <= i {
				return 0, false
			}
			sum += r.values[at][other][i]
		}
		if sum > 0 {
			ratios = append(ratios, value/sum)
		}
	}
	if len(ratios) == 0 {
		return 0, false
	}
	return bench.Median(ratios), true
}

// sum is the medians of several added up.
func (r results) sum(at rate, names ...string) float64 {
	sum := 0.0
	for _, name := range names {
		if values := r.values[at][name]; len(values) > 0 {
			sum += bench.Median(values)
		}
	}
	return sum
}

// head begins a table with a column for each rate.
func head(b *strings.Builder, title string, p plan) {
	b.WriteString("| " + title)
	for _, r := range p.rates {
		b.WriteString(" | " + r.String())
	}
	b.WriteString(" |\n|---" + strings.Repeat("|--:", len(p.rates)) + "|\n")
}

// ranges is the least and the most of everything.
func ranges(r results, p plan) string {
	var b strings.Builder
	head(&b, "least to most", p)
	names := map[string]bool{}
	for _, at := range p.rates {
		for name := range r.values[at] {
			names[name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if strings.HasPrefix(name, "table ") || strings.HasPrefix(name, "wait ") {
			continue
		}
		b.WriteString("| " + name)
		for _, at := range p.rates {
			b.WriteString(" | ")
			if values := r.values[at][name]; len(values) > 0 {
				b.WriteString(short(slices.Min(values)) + " – " + short(slices.Max(values)))
			}
		}
		b.WriteString(" |\n")
	}
	return b.String()
}

func short(value float64) string {
	switch {
	case value >= 100:
		return fmt.Sprintf("%.0f", value)
	case value >= 10:
		return fmt.Sprintf("%.1f", value)
	}
	return fmt.Sprintf("%.2f", value)
}
