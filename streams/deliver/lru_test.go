package deliver

import (
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// The LRU against its definition: the youngest entries that weigh no more than the bound together.
func TestLRU(t *testing.T) {
	type weighed struct{ key, value, weight int }
	rapid.Check(t, func(t *rapid.T) {
		bound := rapid.IntRange(1, 8).Draw(t, "bound")
		l := newLRU[int, int](bound)
		var want []weighed // the oldest first
		find := func(key int) int { return slices.IndexFunc(want, func(w weighed) bool { return w.key == key }) }
		for i := range rapid.IntRange(1, 40).Draw(t, "steps") {
			key := rapid.IntRange(0, 5).Draw(t, "key")
			at := find(key)
			var old weighed
			if at >= 0 {
				old = want[at]
			}
			switch rapid.SampledFrom([]string{"put", "put", "get", "get", "drop", "clear"}).Draw(t, "act") {
			case "put":
				w := weighed{key, i, rapid.IntRange(1, 3).Draw(t, "weight")}
				l.put(w.key, w.value, w.weight)
				if at >= 0 {
					want = slices.Delete(want, at, at+1)
				}
				want = append(want, w)
				for ; ; want = want[1:] {
					sum := 0
					for _, w := range want {
						sum += w.weight
					}
					if sum <= bound {
						break
					}
				}
			case "get":
				value, found := l.get(key)
				if found != (at >= 0) || value != old.value {
					t.Fatalf("get %d: %d, %t, want %d", key, value, found, old.value)
				}
				if found {
					want = append(slices.Delete(want, at, at+1), old)
				}
			case "drop":
				l.drop(key)
				if at >= 0 {
					want = slices.Delete(want, at, at+1)
				}
			case "clear":
				l.clear()
				want = nil
			}
			if len(l.byKey) != len(want) || l.newest.Len() != len(want) {
				t.Fatalf("%d entries, want %d", len(l.byKey), len(want))
			}
		}
	})
}
