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
