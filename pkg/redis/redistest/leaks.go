package redistest

import (
	"testing"

	"go.uber.org/goleak"
)

// VerifyNoLeaks is for TestMain. Two goroutines of the client library end up to a second after Close: the one that
// dials a server that was away, and the one that reloads a cluster's map.
func VerifyNoLeaks(m *testing.M) {
	goleak.VerifyTestMain(m,
		goleak.IgnoreAnyFunction("github.com/redis/go-redis/v9/internal/pool.(*ConnPool).tryDial"),
		goleak.IgnoreAnyFunction("github.com/redis/go-redis/v9.(*clusterStateHolder).LazyReload.func1"),
	)
}
