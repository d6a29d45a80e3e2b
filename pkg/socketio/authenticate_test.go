package socketio

import (
	"context"
	"errors"
	"runtime"
	"testing"
)

type marshaler func()

func (m marshaler) MarshalJSON() ([]byte, error) { m(); return []byte("1"), nil }

// TestEveryErrorRefuses lets nobody in with an error that is nothing, and nobody wait for one that cannot be told.
func TestEveryErrorRefuses(t *testing.T) {
	var none *Refusal
	for name, c := range map[string]struct {
		err    error
		answer string
		panics float64
	}{
		"typed nil":   {none, `44/chat,{"message":"not authorized"}`, 0},
		"joined nil":  {errors.Join(errors.New("expired"), none), `44/chat,{"message":"not authorized"}`, 0},
		"wrapped":     {errors.Join(errors.New("expired"), &Refusal{Message: "old"}), `44/chat,{"message":"old"}`, 0},
		"no JSON":     {&Refusal{Message: "no", Data: func() {}}, `44/chat,{"message":"no"}`, 0},
		"data":        {&Refusal{Message: "no", Data: marshaler(func() {})}, `44/chat,{"message":"no","data":1}`, 0},
		"data panics": {&Refusal{Message: "no", Data: marshaler(func() { panic("in MarshalJSON") })}, `44/chat,{"message":"internal error"}`, 1},
		"data exits":  {&Refusal{Message: "no", Data: marshaler(runtime.Goexit)}, "", 1},
	} {
		t.Run(name, func(t *testing.T) {
			overBoth(t, func(t *testing.T, open func(*rig) peer) {
				h := &script{
					authenticate: func(context.Context, Handshake) (any, error) { return "somebody", c.err },
					connected:    func(_ context.Context, s *Socket) { t.Errorf("%v was let in", s.User()) },
				}
				r := newRig(t, Config{}, map[string]Handler{"/chat": h, "/": echoed()})
				p := open(r)
				go p.send("40/chat,")
				if c.answer == "" {
					expectEnd(t, p)
				} else if got := expect(t, p, "4"); got != c.answer {
					t.Errorf("%s, want %s", got, c.answer)
				}
				p.close()
				if got := r.metric(r.server.metrics.panics); got != c.panics {
					t.Errorf("%v panics counted, want %v", got, c.panics)
				}
				p = open(r)
				p.send("40")
				expect(t, p, "40{")
				p.close()
			})
		})
	}
}
