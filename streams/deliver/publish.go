package deliver

import (
	"context"

	"github.com/dozaar/dozaar/pkg/kafka"
)

// publish puts messages that are stored and told into chat.messages.stored. It fails only when ctx has ended.
//
// Nobody who chats waits for it: a conversation's next slice is delivered meanwhile. Only the commit does, so what is not
// published comes again after a crash, under the same numbers. A conversation's slices are published one after the other,
// each until it succeeds; and what lies below the offset that an assignment starts from was published before that was
// committed. So whoever publishes a number has published the one before it, or somebody has: a reader meets
// each number for the first time only after the one before it, whatever zombies and their late records repeat.
func (w *messageWorker) publish(ctx context.Context, slice []entry) error {
	messages := make([]kafka.Stored, len(slice))
	for i, e := range slice {
		messages[i] = kafka.Stored{Message: e.Message, TraceParent: e.traceParent}
	}
	return w.insist(ctx, "publish_stored", func(ctx context.Context) error {
		return w.Publisher.PublishStored(ctx, messages)
	})
}
