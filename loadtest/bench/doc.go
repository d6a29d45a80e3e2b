// Package bench is what the benchmarks under loadtest have in common: children that answer commands, what a
// process costs by /proc, the machine's description, and pages into which numbers are written.
package bench
