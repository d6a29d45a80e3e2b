package presence

import "time"

// The defaults.
const (
	DefaultTTL    = 5 * time.Minute
	DefaultGrace  = 10 * time.Second
	DefaultSettle = 10 * time.Second
)

// gapFor is how long nobody may have touched a shard before what it says of absence is doubted:
// long enough for a hiccup, short enough that leases, renewed every third of their life, outlast it.
func gapFor(ttl time.Duration) time.Duration { return min(5*time.Second, ttl/3) }

// keepFor is how long a set of leases lives in Redis after its life was extended, and extendEvery how
// many renewals later that is done again. The life must cover the renewals between, and the time in
// which a sweeper may be late.
func keepFor(ttl time.Duration) time.Duration { return 4 * ttl }

const extendEvery = 6

// commandTimeout bounds one exchange with Redis, whatever the caller's patience.
const commandTimeout = 3 * time.Second
