package socketio

import (
	"context"
	"errors"
	"testing"
)

// typed is a Handler whose events come from a table.
type typed struct {
	Handlers
	script
}

func (h *typed) Event(ctx context.Context, s *Socket, e Event) { h.Handlers.Event(ctx, s, e) }

func TestHandlers(t *testing.T) {
	errFull := errors.New("full")
	failures := make(chan error, 1)
	type terms struct{ A, B int }
	events := map[string]EventHandler{
		"add": On(func(_ context.Context, _ *Socket, in terms) (any, error) {
			return map[string]int{"sum": in.A + in.B}, nil
		}),
		"fail": On(func(context.Context, *Socket, any) (any, error) { return "not told", errFull }),
		"all":  func(_ context.Context, _ *Socket, e Event) (any, error) { return len(e.Args), nil },
		"nil":  nil,
	}
	r := newRig(t, Config{}, map[string]Handler{
		"/": &typed{Handlers: Handlers{Events: events, Failed: func(_ context.Context, _ *Socket, e Event, err error) {
			failures <- err
			e.Ack("failed: " + e.Name)
		}}},
		"/plain": &typed{Handlers: Handlers{Events: events}},
	})
	p := r.websocket()
	defer p.close()
	p.send("40", "40/plain,")
	expect(t, p, "40")
	expect(t, p, "40/plain,")
	for _, c := range []struct {
		event, answer string
		err           error
	}{
		{`["add",{"a":1,"b":2},"more"]`, `[{"sum":3}]`, nil},
		{`["add"]`, `[{"sum":0}]`, nil},
		{`["add",{"a":"1"}]`, `["failed: add"]`, ErrArgument},
		{`["add",[]]`, `["failed: add"]`, ErrArgument},
		{`["fail"]`, `["failed: fail"]`, errFull},
		{`["all",1,2]`, `[2]`, nil},
		{`["nil"]`, `["failed: nil"]`, ErrUnknownEvent},
		{`["nobody"]`, `["failed: nobody"]`, ErrUnknownEvent},
	} {
		p.send("421" + c.event)
		if got := expect(t, p, "4"); got != "431"+c.answer {
			t.Errorf("%s: %s, want %s", c.event, got, c.answer)
		}
		if c.err != nil {
			if err := receive(t, "failure", failures); !errors.Is(err, c.err) {
				t.Errorf("%s: %v, want %v", c.event, err, c.err)
			}
			c.answer = `[{"error":"failed"}]`
		}
		p.send("42/plain,1" + c.event)
		if got := expect(t, p, "4"); got != "43/plain,1"+c.answer {
			t.Errorf("%s without Failed: %s, want %s", c.event, got, c.answer)
		}
	}
	p.send(`42["fail"]`) // wants no acknowledgement, and is heard of all the same
	if err := receive(t, "failure", failures); !errors.Is(err, errFull) {
		t.Error(err)
	}
}
