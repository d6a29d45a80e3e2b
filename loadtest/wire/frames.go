package wire

import (
	"encoding/binary"
	"errors"
)

// The kinds of frames (RFC 6455, 5.2).
const (
	Continuation = 0x0
	Text         = 0x1
	Close        = 0x8
	Ping         = 0x9
	Pong         = 0xa
)

// MaxPayload is more than any server here has to say at once.
const MaxPayload = 4 << 20

// ErrFrame is a frame that no server here should send: masked, with reserved bits, or too large.
var ErrFrame = errors.New("a frame that no server here should send")

// Frame is one frame as a server sent it.
type Frame struct {
	Kind    byte
	Final   bool // the last of its message
	Payload []byte
}

// AppendText appends a text frame as a client sends it. Its mask is zero, which is legal, costs the
// server what any other mask does, and the client nothing.
func AppendText(dst []byte, payload string) []byte { return AppendFrame(dst, Text, payload) }

// AppendFrame appends a frame of any kind.
func AppendFrame(dst []byte, kind byte, payload string) []byte {
	dst = append(dst, 0x80|kind)
	switch n := len(payload); {
	case n < 126:
		dst = append(dst, 0x80|byte(n))
	case n < 1<<16:
		dst = append(dst, 0x80|126)
		dst = binary.BigEndian.AppendUint16(dst, uint16(n))
	default:
		dst = append(dst, 0x80|127)
		dst = binary.BigEndian.AppendUint64(dst, uint64(n))
	}
	dst = append(dst, 0, 0, 0, 0)
	return append(dst, payload...)
}

// Next takes the first frame of what a server sent. size is 0 where it is not all there yet.
func Next(buf []byte) (f Frame, size int, err error) {
	if len(buf) < 2 {
		return f, 0, nil
	}
	if buf[0]&0x70 != 0 || buf[1]&0x80 != 0 {
		return f, 0, ErrFrame
	}
	header, n := 2, uint64(buf[1])
	switch {
	case n == 126:
		if len(buf) < 4 {
			return f, 0, nil
		}
		header, n = 4, uint64(binary.BigEndian.Uint16(buf[2:]))
	case n == 127:
		if len(buf) < 10 {
			return f, 0, nil
		}
		header, n = 10, binary.BigEndian.Uint64(buf[2:])
	}
	if n > MaxPayload {
		return f, 0, ErrFrame
	}
	size = header + int(n)
	if len(buf) < size {
		return f, 0, nil
	}
	return Frame{Kind: buf[0] & 0x0f, Final: buf[0]&0x80 != 0, Payload: buf[header:size]}, size, nil
}
