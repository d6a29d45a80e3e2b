// Package metric registers collectors for the parts of a process that may exist more than once in it.
package metric

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// Registered registers a collector, or returns the one that another part of this process registered under
// the same name. Without a registerer the collector counts and is not published. It panics on a name or
// help text that contradicts another one: a fault of the program.
func Registered[C prometheus.Collector](reg prometheus.Registerer, c C) C {
	if reg == nil {
		return c
	}
	err := reg.Register(c)
	if already, ok := errors.AsType[prometheus.AlreadyRegisteredError](err); ok {
		return already.ExistingCollector.(C)
	}
	if err != nil {
		panic(err)
	}
	return c
}
