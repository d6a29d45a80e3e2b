package main

import "fmt"

// results are what all rounds gave.
type results struct {
	round   int // that is being played
	samples map[key][]sample
	failed  []string // what could not be measured, and why
	heap    string   // of a gateway of Dozaar's: what is in use when all sockets are there
	cpu     []string // where Dozaar's goes, in each scenario
}

type key struct{ system, name string }

type sample struct {
	round int
	value float64
}

// of are the values of all rounds.
func (r *results) of(system, name string) (values []float64) {
	for _, s := range r.samples[key{system, name}] {
		values = append(values, s.value)
	}
	return values
}

func (r *results) add(system, name string, value float64) {
	if r.samples == nil {
		r.samples = map[key][]sample{}
	}
	k := key{system, name}
	r.samples[k] = append(r.samples[k], sample{r.round, value})
}

// fail notes what could not be measured.
func (r *results) fail(what string, err error) {
	r.failed = append(r.failed, fmt.Sprintf("%s: %s", what, err))
	say("%s: %s", what, err)
}
