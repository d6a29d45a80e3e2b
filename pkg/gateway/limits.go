package gateway

import "golang.org/x/time/rate"

// A Bucket is a token bucket: so many events a second on average, so many at once.
type Bucket struct {
	PerSecond rate.Limit
	Burst     int
}

// Limits bound what one socket and one user may do. Each socket has a bucket of its own per event.
type Limits struct {
	SocketsPerUser int // 0: no limit
	JoinsAtOnce    int // how many joins of all sockets may ask Redis and the store at once; at least 1
	Send           Bucket
	Join           Bucket
	Typing         Bucket
	Read           Bucket
	Status         Bucket
	Refresh        Bucket
	Unknown        Bucket // what is no event of the contract; all of it shares one
	// Refusals is how many rate-limited events a socket may collect before it is disconnected.
	Refusals Bucket
}

// DefaultLimits are met by no person: 30 messages a second with bursts of 100, and enough of the rest.
func DefaultLimits() Limits {
	return Limits{
		SocketsPerUser: 100,
		JoinsAtOnce:    16,
		Send:           Bucket{30, 100},
		Join:           Bucket{50, 500},
		Typing:         Bucket{10, 50},
		Read:           Bucket{100, 2_000},
		Status:         Bucket{10, 50},
		Refresh:        Bucket{1, 10},
		Unknown:        Bucket{10, 50},
		Refusals:       Bucket{10, 300},
	}
}

// allow takes a token from the event's bucket.
func (s *session) allow(event string, b Bucket) bool {
	limiter := s.buckets[event]
	if limiter == nil {
		limiter = rate.NewLimiter(b.PerSecond, b.Burst)
		s.buckets[event] = limiter
	}
	return limiter.Allow()
}
