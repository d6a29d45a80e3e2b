package gateway

import "testing"

// The trace of whoever sent a message goes with it; what is no trace does not, and is no reason to refuse the message.
func TestAMessageCarriesItsTrace(t *testing.T) {
	w := newWorld(t)
	sam := newUser("Sam")
	room := w.conversation(sam, newUser("Bea"))
	s, _ := w.join(sam, room)
	const trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	for given, want := range map[string]string{trace: trace, "": "", "it hurts": ""} {
		w.must(s, "send:message", obj{"conversationId": room, "message": "x", "traceparent": given})
		if w.trace != want {
			t.Errorf("%q is carried as %q", given, w.trace)
		}
	}
}
