package socketio

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// The official client acts on CLOSE before it has handed on the packets of the same answer. So a kick over polling
// is an answer with everything that was sent before it, and CLOSE is the next one.
func TestKickOverPollingComesBeforeTheClose(t *testing.T) {
	r := newRig(t, Config{DrainTimeout: patience}, map[string]Handler{"/": &script{
		event: func(_ context.Context, s *Socket, _ Event) {
			_ = s.Emit("bye")
			s.Close("rude")
		},
	}})
	p := r.polling()
	p.send("40")
	expect(t, p, "40")
	p.send(`42["x"]`)
	got, err := p.poll()
	if want := []string{`42["bye"]`, "41"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v: want %q", got, err, want)
	}
	if got, err := p.poll(); err != nil || !slices.Equal(got, []string{"1"}) {
		t.Errorf("%q, %v: want CLOSE", got, err)
	}
	if _, err := p.poll(); err == nil {
		t.Error("the session goes on after CLOSE")
	}
}

// TestComingBackAfterAKick joins a namespace again as soon as the client hears that it was sent away, while a handler of
// the connection still runs: of the other namespace, or the one that did it.
func TestComingBackAfterAKick(t *testing.T) {
	for name, event := range map[string]string{"outside": `42/b,["work"]`, "within": `42/a,["work","and go"]`} {
		t.Run(name, func(t *testing.T) {
			overBoth(t, func(t *testing.T, open func(*rig) peer) {
				sockets, busy := make(chan *Socket, 2), make(chan struct{}, 1)
				calls := make(chan string, 8)
				a := &script{
					connected:    func(_ context.Context, s *Socket) { calls <- "connected"; sockets <- s },
					disconnected: func(*Socket, string) { calls <- "disconnected" },
				}
				release := make(chan struct{})
				work := func(_ context.Context, s *Socket, e Event) {
					if len(e.Args) > 0 {
						s.Close("rude")
					}
					busy <- struct{}{}
					<-release
					calls <- "returned"
				}
				a.event = work
				r := newRig(t, Config{}, map[string]Handler{"/a": a, "/b": &script{event: work}})
				p := open(r)
				p.send("40/a,", "40/b,")
				expect(t, p, "40/a,")
				expect(t, p, "40/b,")
				s := receive(t, "socket", sockets)
				go p.send(event, "40/a,") // both at once, as a POST is answered when all of it is handled
				receive(t, "event", busy)
				if name == "outside" {
					s.Close("rude")
				}
				expect(t, p, "41/a")
				close(release)
				expect(t, p, "40/a,{")
				for _, want := range []string{"connected", "returned", "disconnected", "connected"} {
					if got := receive(t, want, calls); got != want {
						t.Errorf("%s, want %s", got, want)
					}
				}
				p.close()
				if got := receive(t, "the end", calls); got != "disconnected" {
					t.Errorf("%s at the end", got)
				}
			})
		})
	}
}

// TestKicksAtOnce sends all of a connection's sockets away at the same time: the client hears of each.
func TestKicksAtOnce(t *testing.T) {
	sockets := make(chan *Socket, 2)
	h := &script{connected: func(_ context.Context, s *Socket) { sockets <- s }}
	r := newRig(t, Config{}, map[string]Handler{"/a": h, "/b": h})
	for range 300 {
		p := r.websocket()
		p.send("40/a,", "40/b,")
		expect(t, p, "40/a,")
		expect(t, p, "40/b,")
		a, b := receive(t, "socket", sockets), receive(t, "socket", sockets)
		go a.Close("rude")
		b.Close("rude")
		expect(t, p, "41/")
		expect(t, p, "41/")
		expectEnd(t, p)
		p.close()
	}
}

// While a handler runs nobody reads the socket, so that its client has gone is only seen when writing.
func TestHandlerEndsWhenItsClientHasGone(t *testing.T) {
	begun, ended := make(chan struct{}), make(chan struct{})
	r := newRig(t, Config{PingInterval: 50 * time.Millisecond, PingTimeout: 50 * time.Millisecond}, map[string]Handler{"/": &script{
		event: func(ctx context.Context, _ *Socket, _ Event) {
			close(begun)
			<-ctx.Done()
			close(ended)
		},
	}})
	p := r.websocket()
	p.send("40")
	expect(t, p, "40")
	p.send(`42["x"]`)
	receive(t, "the event", begun)
	p.close()
	receive(t, "the end of the handler's context", ended)
}

func TestPlaceholdersAreReadAsTheyWereChecked(t *testing.T) {
	for _, text := range []string{
		`51-["x",{"_placeholder":true,"num":0,"NUM":99}]`,
		`51-["x",{"_PLACEHOLDER":true,"num":-3},{"_placeholder":true,"num":0}]`,
		`51-["x",{"_placeholder":true,"num":0.0},{"_Placeholder":true,"Num":7}]`,
	} {
		p, err := decodePacket([]byte(text), 1)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		e, found := Event{Args: p.args, Attachments: [][]byte{[]byte("one")}}, 0
		for i := range e.Args {
			if part, ok := e.Binary(i); ok && string(part) == "one" {
				found++
			}
		}
		if found != 1 {
			t.Errorf("%s: %d attachments, want 1", text, found)
		}
	}
	// An event that nobody has checked is no reason to panic either.
	if _, ok := (Event{Args: []json.RawMessage{json.RawMessage(`{"_placeholder":true,"num":1}`)}, Attachments: [][]byte{nil}}).Binary(0); ok {
		t.Error("an attachment that is not there was found")
	}
}

func TestLargeHeaderIsRefused(t *testing.T) {
	r := newRig(t, Config{}, map[string]Handler{"/": echoed()})
	_, response, err := r.dial("transport=websocket", http.Header{"X-Long": {strings.Repeat("x", maxHeader)}})
	if err == nil || response == nil || response.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("%v, %v: want 431", response, err)
	}
	if status, _ := r.request(http.MethodGet, "transport=polling&x="+strings.Repeat("x", maxHeader), ""); status != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("%d, want 431", status)
	}
}
