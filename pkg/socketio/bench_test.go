package socketio

import (
	"io"
	"strings"
	"testing"
)

// BenchmarkEcho asks one question at a time over a loopback websocket, and waits for its answer.
func BenchmarkEcho(b *testing.B) {
	r := newRig(b, Config{}, map[string]Handler{"/": echoed()})
	p := r.websocket()
	defer p.close()
	p.send("40")
	expect(b, p, "40")
	conn := p.conn.NetConn()
	question := clientFrame(0x81, []byte(`420["echo","`+strings.Repeat("0123456789", 10)+`"]`))
	answer := make([]byte, len(`430["0"]`)+2+99)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := conn.Write(question); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(conn, answer); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkEvent decodes an event and encodes its acknowledgement.
func BenchmarkEvent(b *testing.B) {
	packet := []byte(`20["send:message",{"conversationId":"0191d9a4-6f1c-7cc0-9d3c-0c7b3a1d4a11","message":"` + strings.Repeat("0123456789", 10) + `","attachments":[]}]`)
	scratch := make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		p, err := decodePacket(packet, 0)
		if err != nil {
			b.Fatal(err)
		}
		if _, _, err := encodePacket(scratch, typeAck, "/", p.ack, []any{p.args[0]}); err != nil {
			b.Fatal(err)
		}
	}
}
