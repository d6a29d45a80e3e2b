package cassandra

import "github.com/dozaar/dozaar/pkg/chat"

const (
	offsetBits = 47 // 4,000 years of a partition at a thousand records a second
	epochBits  = 14
)

// rank maps positions to whole numbers in their order. Beyond what it can tell apart it is level, never wrong.
func rank(p chat.Position) int64 {
	epoch := min(max(int64(p.Epoch), 0), 1<<epochBits-1)
	offset := min(max(p.Offset, 0), 1<<offsetBits-1)
	return epoch<<offsetBits | offset
}

// ascending is the write timestamp under which the greater position wins. They are even: the odd one above is
// for whoever has to change a stored row for good (erasing a text) without a later replay undoing it.
func ascending(p chat.Position) int64 { return rank(p) << 1 }

// descending is the write timestamp under which the lower position wins.
func descending(p chat.Position) int64 { return (1<<(epochBits+offsetBits) - rank(p)) << 1 }
