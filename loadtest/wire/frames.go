package wire

import (
	"encoding/binary"
	"errors"
)

var errFrame = errors.New("a frame that no server here should send")

// AppendFrame appends a text frame as a client sends it. Its mask is zero, which is legal, costs the
// server what any other mask does, and the client nothing.
func AppendFrame(dst []byte, payload string) []byte {
	dst = append(dst, 0x81)
	if len(payload) < 126 {
		dst = append(dst, 0x80|byte(len(payload)))
	} else {
		dst = append(dst, 0x80|126)
		dst = binary.BigEndian.AppendUint16(dst, uint16(len(payload)))
	}
	dst = append(dst, 0, 0, 0, 0)
	return append(dst, payload...)
}

// NextFrame takes the first frame of what a server sent. size is 0 where it is not all there yet.
func NextFrame(buf []byte) (payload []byte, size int, err error) {
	if len(buf) < 2 {
		return nil, 0, nil
	}
	if buf[0] != 0x81 {
		return nil, 0, errFrame
	}
	header, n := 2, int(buf[1])
	switch {
	case n > 126:
		return nil, 0, errFrame
	case n == 126:
		if len(buf) < 4 {
			return nil, 0, nil
		}
		header, n = 4, int(binary.BigEndian.Uint16(buf[2:]))
	}
	if len(buf) < header+n {
		return nil, 0, nil
	}
	return buf[header : header+n], header + n, nil
}
