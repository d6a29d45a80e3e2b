package deliver

import (
	"context"

	"github.com/dozaar/dozaar/pkg/chat"
)

// identity is what makes two records the same message. Positions of other conversations say nothing here,
// they may come from another partition; so an id counts within its conversation only.
type identity struct{ conversation, message chat.ID }

// dropDuplicates returns the entries whose message id does not occur at a lower position, and those of the
// others that repeat a client message id with another body.
//
// Lower positions are either in this very slice, or stored by the time it is called: Process is called
// one batch after the other and ends only when its batch is stored, and everything below the offset that
// the assignment started from, or has jumped to, was stored before that offset was committed. One look at the by-id table, at
// quorum, therefore sees every lower position that there is.
//
// A zombie, a worker that goes on although its partition has been given away, is no exception. It began at
// a committed offset and stored what it has been through, so it too sees all that is lower than its own
// slice. What its successor wrote meanwhile lies at the same or at higher positions, and such a row
// does not make a record a duplicate: at the record's own position it is the record itself,
// being delivered again. So both drop the same records.
func (w *messageWorker) dropDuplicates(ctx context.Context, entries []entry) (fresh, conflicts []entry, err error) {
	if len(entries) == 0 {
		return nil, nil, nil
	}
	stored, err := w.storedByID(ctx, entries)
	if err != nil {
		return nil, nil, err
	}
	here := make(map[identity][32]byte, len(entries)) // body hashes of this slice's fresh entries
	for _, e := range entries {
		id := identity{e.ConversationID, e.ID}
		first, duplicate := here[id]
		if row, found := stored[e.ID]; found && row.ConversationID == e.ConversationID && row.Position.Before(e.Position) {
			first, duplicate = row.BodyHash, true
		}
		if !duplicate {
			here[id] = e.hash
			fresh = append(fresh, e)
			continue
		}
		w.metrics.duplicates.Inc()
		if first != e.hash && e.ClientMessageID != (chat.ID{}) {
			w.metrics.conflicts.Inc()
			conflicts = append(conflicts, e)
		}
	}
	return fresh, conflicts, nil
}

func (w *messageWorker) storedByID(ctx context.Context, entries []entry) (rows map[chat.ID]chat.StoredID, err error) {
	asked := make(map[chat.ID]bool, len(entries))
	var ids []chat.ID
	for _, e := range entries {
		if !asked[e.ID] {
			asked[e.ID] = true
			ids = append(ids, e.ID)
		}
	}
	err = w.insist(ctx, "stored_by_id", func(ctx context.Context) (err error) {
		rows, err = w.Store.StoredByID(ctx, ids)
		return err
	})
	return rows, err
}
