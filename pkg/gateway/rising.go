package gateway

import (
	"sync"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/dozaar/dozaar/pkg/chat"
)

// rising remembers the greatest number seen of each id, for as many ids as it has room for: what is not
// greater was seen before.
type rising struct {
	mu   sync.Mutex // makes look and add one step
	last *lru.Cache[chat.ID, int64]
}

func newRising(ids int) *rising {
	last, _ := lru.New[chat.ID, int64](ids) // fails only for a size below one
	return &rising{last: last}
}

// rises tells whether n is greater than all before it.
func (r *rising) rises(id chat.ID, n int64) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if last, ok := r.last.Get(id); ok && n <= last {
		return false
	}
	r.last.Add(id, n)
	return true
}
