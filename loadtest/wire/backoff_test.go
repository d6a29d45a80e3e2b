package wire

import (
	"math/rand/v2"
	"testing"
	"time"
)

func TestBackoffIsTheOfficialClients(t *testing.T) {
	for seed := range uint64(100) {
		b := NewBackoff(rand.New(rand.NewPCG(seed, 0)))
		for _, want := range []time.Duration{1, 2, 4, 5, 5, 5} {
			want *= time.Second
			if got := b.Next(); got < want/2 || got > min(want+want/2, mostDelay) {
				t.Fatalf("%s where %s was due", got, want)
			}
		}
		b.Reset()
		if got := b.Next(); got > 1500*time.Millisecond {
			t.Fatalf("%s after a reset", got)
		}
	}
}
