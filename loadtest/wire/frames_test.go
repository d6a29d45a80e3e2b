package wire

import (
	"strings"
	"testing"
)

func TestFrames(t *testing.T) {
	for _, size := range []int{0, 1, 125, 126, 127, 3000, 65535, 65536, 300_000} {
		text := strings.Repeat("x", size)
		masked := AppendText(nil, text)
		header := len(masked) - size - 4 // the mask, which servers leave out
		frame := append(append([]byte{}, masked[:header]...), text...)
		frame[1] &= 0x7f
		for cut := 0; cut < len(frame); cut += 1 + cut/4 {
			if _, n, err := Next(frame[:cut]); n != 0 || err != nil {
				t.Fatalf("%d of %d bytes: %d, %v", cut, len(frame), n, err)
			}
		}
		f, n, err := Next(append(frame, "more"...))
		if string(f.Payload) != text || f.Kind != Text || !f.Final || n != len(frame) || err != nil {
			t.Errorf("%d bytes: %d, %d, %v", size, len(f.Payload), n, err)
		}
	}
	if f, n, err := Next([]byte{0x89, 1, 'p'}); f.Kind != Ping || n != 3 || err != nil {
		t.Errorf("a ping: %+v %d %v", f, n, err)
	}
	if f, n, err := Next([]byte{0x01, 1, 'p'}); f.Final || n != 3 || err != nil {
		t.Errorf("a fragment: %+v %d %v", f, n, err)
	}
	for _, bad := range [][]byte{{0xc1, 0}, {0x81, 0x80}, {0x81, 127, 0, 0, 1, 0, 0, 0, 0, 0}} {
		if _, _, err := Next(bad); err == nil {
			t.Errorf("% x was taken", bad)
		}
	}
}
