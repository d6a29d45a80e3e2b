package cassandra

import (
	"context"
	"errors"
	"testing"

	"github.com/dozaar/dozaar/pkg/chat"
)

// A connection that is cut cancels what is written to it: that is an absence, unless it is the caller who has gone.
func TestCancelledByTheConnection(t *testing.T) {
	if err := classify(t.Context(), "messages", context.Canceled); !errors.Is(err, chat.ErrUnavailable) {
		t.Errorf("got %v; want that the service is not available", err)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := classify(gone, "messages", context.Canceled); errors.Is(err, chat.ErrUnavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v of a caller that has gone", err)
	}
}
