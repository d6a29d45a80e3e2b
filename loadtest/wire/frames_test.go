package wire

import (
	"strings"
	"testing"
)

func TestFrames(t *testing.T) {
	for _, size := range []int{0, 1, 125, 126, 127, 3000} {
		text := strings.Repeat("x", size)
		masked := AppendFrame(nil, text)
		header := len(masked) - size - 4 // the mask, which servers leave out
		frame := append(append([]byte{}, masked[:header]...), text...)
		frame[1] &= 0x7f
		for cut := range frame {
			if _, n, err := NextFrame(frame[:cut]); n != 0 || err != nil {
				t.Fatalf("%d of %d bytes: %d, %v", cut, len(frame), n, err)
			}
		}
		payload, n, err := NextFrame(append(frame, "more"...))
		if string(payload) != text || n != len(frame) || err != nil {
			t.Errorf("%d bytes: %q, %d, %v", size, payload, n, err)
		}
	}
	if _, _, err := NextFrame([]byte{0x82, 0}); err == nil {
		t.Error("a binary frame was taken")
	}
}
