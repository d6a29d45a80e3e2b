package main

import (
	"fmt"
	"strings"

	"github.com/dozaar/dozaar/loadtest/bench"
)

// tables are what was measured, for people.
func tables(all []result) string {
	var out strings.Builder
	fmt.Fprintf(&out, "Measured on: %s.\n", strings.Join(bench.Machine(), "; "))
	for _, r := range all {
		if r.name == bySockets {
			r.sockets(&out)
			continue
		}
		fmt.Fprintf(&out, "\n| %s | messages/s | deliveries/s | own CPU, µs a message |", r.name)
		for _, k := range kinds {
			fmt.Fprintf(&out, " %s |", k)
		}
		fmt.Fprintf(&out, " p50 ms | p99 ms |\n|--:%s\n", strings.Repeat("|--:", 5+len(kinds))+"|")
		for _, v := range r.values {
			o := r.outcomes[v]
			own := o.perMessage("gateway") + o.perMessage("deliver") + o.perMessage("presence")
			fmt.Fprintf(&out, "| %s | %.1f | %.0f | **%.0f** |", bench.Thousands(v), o.messages/o.seconds, o.deliveries/o.seconds, own)
			for _, k := range kinds {
				fmt.Fprintf(&out, " %.0f |", o.perMessage(k))
			}
			fmt.Fprintf(&out, " %.1f | %.1f |\n", float64(o.p50.Microseconds())/1e3, float64(o.p99.Microseconds())/1e3)
		}
	}
	return out.String()
}

// sockets is the series in which hardly anybody says anything.
func (r result) sockets(out *strings.Builder) {
	fmt.Fprintf(out, "\n| %s | gateways' CPU, %% of a core | presence's | Redis' | gateways' memory, MB | Redis' |\n|--:|--:|--:|--:|--:|--:|\n", r.name)
	for _, v := range r.values {
		o := r.outcomes[v]
		fmt.Fprintf(out, "| %s | %.1f | %.1f | %.1f | %.0f | %.0f |\n", bench.Thousands(v), 100*o.cores["gateway"], 100*o.cores["presence"], 100*o.cores["redis"],
			o.bytes["gateway"]/1e6, o.bytes["redis"]/1e6)
	}
}

// perMessage is µs of CPU.
func (o outcome) perMessage(kind string) float64 { return 1e6 * o.cores[kind] * o.seconds / o.messages }
