package chat

import "cmp"

// Position is a record's place in the log of its conversation: the topic's log epoch, then the
// offset in its partition. Positions of one conversation are totally ordered.
type Position struct {
	Epoch  int32
	Offset int64
}

// Compare is negative where p comes before q, 0 where they are the same, positive where p comes after.
func (p Position) Compare(q Position) int {
	return cmp.Or(cmp.Compare(p.Epoch, q.Epoch), cmp.Compare(p.Offset, q.Offset))
}

// Before tells whether p comes before q.
func (p Position) Before(q Position) bool { return p.Compare(q) < 0 }
