package wire

import (
	"math/rand/v2"
	"time"
)

// Backoff is when the official client comes back: after one second, then two, four, five and five, each by up
// to half of it sooner or later.
type Backoff struct {
	random   *rand.Rand
	attempts int
}

const (
	firstDelay = time.Second
	mostDelay  = 5 * time.Second
	jitter     = 0.5
)

// NewBackoff is that of a client that has been connected.
func NewBackoff(random *rand.Rand) Backoff { return Backoff{random: random} }

// Next is how long to wait before the next attempt.
func (b *Backoff) Next() time.Duration {
	delay := firstDelay << min(b.attempts, 10)
	b.attempts++
	delay += time.Duration((2*b.random.Float64() - 1) * jitter * float64(delay))
	return min(delay, mostDelay)
}

// Reset is called once a connection has come about.
func (b *Backoff) Reset() { b.attempts = 0 }
