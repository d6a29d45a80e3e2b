package socketio

import (
	"context"
	"fmt"
	"net"
	"strings"
	"testing"
)

// TestStuckPeerBesideOthers gives one writer a peer that takes nothing for a while among others: they get
// everything meanwhile, and it has lost nothing once it reads again.
func TestStuckPeerBesideOthers(t *testing.T) {
	const packets, size = 80, 100_000 // more than the kernel takes for one
	sockets := make(chan *Socket, 1)
	r := newRig(t, Config{SendBuffer: 64 << 20}, one(&script{connected: func(_ context.Context, s *Socket) { sockets <- s }}))
	r.server.writers = r.server.writers[:1]
	room := new(Room)
	all := members(t, r, sockets, room, func(r *rig) peer { return r.websocket() }, 3)
	if err := all[0].peer.(*wsPeer).conn.NetConn().(*net.TCPConn).SetReadBuffer(512 << 10); err != nil {
		t.Fatal(err)
	}
	word := func(n int) string { return fmt.Sprintf(`42/chat,["n",%d,"`, n) }
	for n := range packets {
		room.Send(encoded(t, "n", n, strings.Repeat("x", size+n)))
		for _, m := range all[1:] {
			expect(t, m, word(n))
		}
	}
	stuck := all[0].socket.client.sess
	stuck.mu.Lock()
	if stuck.queue.bytes == 0 || !stuck.writing {
		t.Error("the kernel took everything: nothing is tested")
	}
	stuck.mu.Unlock()
	for n := range packets {
		if got := expect(t, all[0], word(n)); len(got) != len(word(n))+size+n+2 {
			t.Fatalf("packet %d came as %d bytes", n, len(got))
		}
	}
	for _, m := range all {
		s := m.socket.client.sess
		eventually(t, "nothing is left", func() bool { s.mu.Lock(); defer s.mu.Unlock(); return s.queue.bytes == 0 && !s.writing })
		m.close()
	}
}

// TestRestOfABatch cuts a batch after any number of bytes.
func TestRestOfABatch(t *testing.T) {
	batch := []frame{framed(opText, []byte("one")), framed(opBinary, nil), framed(opText, []byte("three"))}
	all := ""
	for _, f := range batch {
		all += string(f.buf)
	}
	for n := range len(all) + 1 {
		rest := ""
		for _, f := range after(batch, n) {
			rest += string(f.buf)
		}
		if rest != all[n:] {
			t.Errorf("after %d: %q, want %q", n, rest, all[n:])
		}
	}
	if string(batch[0].buf) != string(framed(opText, []byte("one")).buf) {
		t.Error("the batch was changed")
	}
}
