package deliver

import (
	"context"
	"errors"

	"github.com/dozaar/dozaar/pkg/chat"
	"github.com/dozaar/dozaar/pkg/kafka"
	"github.com/dozaar/dozaar/schemas"
)

// publish puts messages that are stored and told into chat.messages.stored. It fails only when ctx has ended.
//
// Nobody who chats waits for it: a conversation's next slice is delivered meanwhile. Only the commit does, so what is not
// published comes again after a crash, under the same numbers. A conversation's slices are published one after the other,
// each until it succeeds; and what lies below the offset that an assignment starts from was published before that was
// committed. So whoever publishes a number has published the one before it, or somebody has: a reader meets
// each number for the first time only after the one before it, whatever zombies and their late records repeat.
//
// A message that the topic will never take, because it is too large for it, goes to the dead letters: its number is left out
// of the topic, for nothing of its partition would ever be committed, were it waited for.
func (w *messageWorker) publish(ctx context.Context, slice []entry) error {
	messages := make([]kafka.Stored, len(slice))
	for i, e := range slice {
		messages[i] = kafka.Stored{Message: e.Message, TraceParent: e.traceParent}
	}
	wait := w.wait(ctx)
	defer wait.end()
	var large error
	err := w.insist(ctx, "publish_stored", func(ctx context.Context) error {
		err := w.Publisher.PublishStored(ctx, messages)
		if large = nil; errors.Is(err, kafka.ErrTooLarge) {
			large, err = err, nil
		}
		wait.failed(err)
		return err
	})
	switch {
	case err != nil || large == nil:
		return err
	case len(slice) == 1:
		return w.leaveOut(ctx, messages[0], large)
	}
	for i := range slice { // which of them, or all of them together
		if err := w.publish(ctx, slice[i:i+1]); err != nil {
			return err
		}
	}
	return nil
}

// leaveOut returns when the dead-letter topic has a message that chat.messages.stored does not take.
func (w *messageWorker) leaveOut(ctx context.Context, message kafka.Stored, why error) error {
	refused := &refusal{"too_large", why}
	if err := w.insist(ctx, "dead_letter", func(ctx context.Context) error {
		return w.Publisher.BuryStored(ctx, message, refused)
	}); err != nil {
		return err
	}
	w.metrics.deadLetters.WithLabelValues(schemas.TopicStored, refused.reason).Inc()
	m := message.Message
	w.log.ErrorContext(ctx, "a stored message is too large for "+schemas.TopicStored+" and is left out of it; it is in the history, and in the dead letters",
		"conversation", m.ConversationID, "seq", m.Seq, "error", why)
	return nil
}

// soundTrace is a record's header traceparent, or "" where it is none: what somebody else wrote there, of whatever size, is
// not passed on.
func soundTrace(r kafka.Record) string {
	text, _ := r.Header(kafka.HeaderTraceParent)
	return chat.TraceParent(chat.WithTraceParent(context.Background(), text))
}
