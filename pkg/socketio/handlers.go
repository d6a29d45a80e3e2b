package socketio

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

// What Handlers fail an event with before anything of yours is called; ErrArgument is wrapped, with the reason.
var (
	ErrUnknownEvent = errors.New("unknown event")
	ErrArgument     = errors.New("the argument cannot be read")
)

// EventHandler does one event. Without an error reply is the acknowledgement, where the client wants one; see
// Encode for what it may be. On makes one of a function of the event's argument.
type EventHandler func(ctx context.Context, s *Socket, e Event) (reply any, err error)

// Handlers is a table of events. A Handler that embeds it has its Event from here.
type Handlers struct {
	Events map[string]EventHandler // by name; not to be changed while serving
	// Failed answers what an EventHandler failed with, and ErrUnknownEvent and ErrArgument: by e.Ack, by an event, by
	// Close. Without it the acknowledgement is {"error":"failed"}, which tells strangers nothing.
	Failed func(ctx context.Context, s *Socket, e Event, err error)
}

// Event implements Handler.
func (h Handlers) Event(ctx context.Context, s *Socket, e Event) {
	var reply any
	err := ErrUnknownEvent
	if do := h.Events[e.Name]; do != nil {
		reply, err = do(ctx, s, e)
	}
	switch {
	case err == nil:
		e.Ack(reply)
	case h.Failed != nil:
		h.Failed(ctx, s, e, err)
	default:
		e.Ack(json.RawMessage(`{"error":"failed"}`))
	}
}

// On makes an EventHandler that decodes an event's first argument by encoding/json and leaves the others alone. An
// argument that is missing is as null: it leaves in as it is at first.
func On[In any](do func(ctx context.Context, s *Socket, in In) (reply any, err error)) EventHandler {
	return func(ctx context.Context, s *Socket, e Event) (any, error) {
		var in In
		if len(e.Args) > 0 {
			if err := json.Unmarshal(e.Args[0], &in); err != nil {
				return nil, fmt.Errorf("%w: %w", ErrArgument, err)
			}
		}
		return do(ctx, s, in)
	}
}
