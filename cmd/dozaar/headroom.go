package main

import "runtime"

// headroomBytes is how much a role allocates between two collections at least.
const headroomBytes = 64 << 20

// headroom has Go's collector wait, however little is in use, until so much was allocated anew. A role holds a few
// megabytes and allocates tens of them a second: left to itself, the collector would run many times a second and take
// a fifth of deliver's CPU. It is memory that is never touched: the system gives none for it, and the collector, whose
// measure is what is in use, counts it. What it costs is up to as much garbage. Who sets GOGC or GOMEMLIMIT has
// decided otherwise: then there is none. Nor is there where it would be much of limit, the process's in bytes. It lasts until
// release is called.
func headroom(env environment, limit int64) (release func()) {
	if limit < 8*headroomBytes {
		return func() {}
	}
	for _, name := range []string{"GOGC", "GOMEMLIMIT"} {
		if env[name] != "" {
			return func() {}
		}
	}
	untouched := make([]byte, headroomBytes)
	untouch(untouched)
	return func() { runtime.KeepAlive(untouched) }
}
