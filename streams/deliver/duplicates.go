package deliver

import (
	"context"

	"github.com/dozaar/dozaar/pkg/chat"
)

// dropDuplicates returns the entries of a slice whose message id does not occur at a lower position of its conversation,
// and those of the others that repeat a client message id with another body. stored are the by-id rows of the
// slice's ids, read when everything of the conversation at lower positions was stored. Positions of other
// conversations say nothing here, they may come from another partition.
//
// Lower positions are either in this very slice, or stored: a conversation's slices go one after the other, each
// ends only when it is stored, and everything below the offset that the assignment started from, or has
// jumped to, was stored before that offset was committed. One look at the by-id table, at quorum, therefore
// sees every lower position that there is.
//
// A zombie, a worker that goes on although its partition has been given away, is no exception. It began at
// a committed offset and stored what it has been through, so it too sees all that is lower than its own
// slice. What its successor wrote meanwhile lies at the same or at higher positions, and such a row
// does not make a record a duplicate: at the record's own position it is the record itself,
// being delivered again, as it is after a crash where a record below it was not done. So both drop the same records.
func (w *messageWorker) dropDuplicates(slice []entry, stored map[chat.ID]chat.StoredID) (fresh, conflicts []entry) {
	here := make(map[chat.ID][32]byte, len(slice)) // body hashes of this slice's fresh entries
	for _, e := range slice {
		first, duplicate := here[e.ID]
		if row, found := stored[e.ID]; found && row.ConversationID == e.ConversationID && row.Position.Before(e.Position) {
			first, duplicate = row.BodyHash, true
		}
		if !duplicate {
			here[e.ID] = e.hash
			fresh = append(fresh, e)
			continue
		}
		w.metrics.duplicates.Inc()
		if first != e.hash && e.ClientMessageID != (chat.ID{}) {
			w.metrics.conflicts.Inc()
			conflicts = append(conflicts, e)
		}
	}
	return fresh, conflicts
}

func (w *messageWorker) storedByID(ctx context.Context, slice []entry) (rows map[chat.ID]chat.StoredID, err error) {
	var ids audience
	for _, e := range slice {
		ids.add(e.ID)
	}
	err = w.insist(ctx, "stored_by_id", func(ctx context.Context) (err error) {
		rows, err = w.Store.StoredByID(ctx, ids.ids)
		return err
	})
	return rows, err
}
