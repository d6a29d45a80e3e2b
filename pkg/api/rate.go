package api

import (
	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"

	"github.com/dozaar/dozaar/pkg/chat"
)

// Rate bounds how often one user may ask: so many requests a second, so many at once. The zero Rate is no bound.
type Rate struct {
	PerSecond float64
	Burst     int
}

// ratedUsers is how many users' buckets are kept; whose was dropped begins with a full one.
const ratedUsers = 100_000

// rates are the users' buckets. The marketplace's backend speaks for many and has none.
type rates struct {
	limit   Rate
	buckets *lru.Cache[chat.ID, *rate.Limiter] // nil: no bound
}

func newRates(limit Rate) *rates {
	r := &rates{limit: limit}
	if limit.PerSecond > 0 {
		r.buckets, _ = lru.New[chat.ID, *rate.Limiter](ratedUsers) // fails only for a size below one
	}
	return r
}

func (r *rates) allow(user chat.ID) bool {
	if r.buckets == nil {
		return true
	}
	bucket, found := r.buckets.Get(user)
	if !found {
		bucket = rate.NewLimiter(rate.Limit(r.limit.PerSecond), r.limit.Burst)
		if there, taken, _ := r.buckets.PeekOrAdd(user, bucket); taken {
			bucket = there
		}
	}
	return bucket.Allow()
}
