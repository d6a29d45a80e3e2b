package deliver

import (
	"context"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/kafka"
)

// Lacking gives those of some records of chat.messages which deliver would have stored and the store does not have. Of
// records that were done, each is in the store, or was sent to the dead letters by a release that judged otherwise; or
// the store is not the one that they were stored in, but an older state of it.
func Lacking(ctx context.Context, store Store, decoder Decoder, partitionOf func(topic string, key []byte) int32, done []kafka.Record) (lacking []kafka.Record, err error) {
	ids := make([]chat.ID, 0, len(done))
	sounds := make([]kafka.Record, 0, len(done))
	for _, r := range done {
		m, refused, err := messageKind(decoder).judge(r, partitionOf)
		if err != nil {
			return nil, err
		}
		if refused == nil {
			ids, sounds = append(ids, m.ID), append(sounds, r)
		}
	}
	stored, err := store.StoredByID(ctx, ids)
	if err != nil {
		return nil, err
	}
	for i, r := range sounds {
		if _, found := stored[ids[i]]; !found {
			lacking = append(lacking, r)
		}
	}
	return lacking, nil
}
