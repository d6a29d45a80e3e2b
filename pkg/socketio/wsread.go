package socketio

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"sync"
	"syscall"
	"unicode/utf8"

	"github.com/gorilla/websocket"
)

var (
	errBadText  = errors.New("text frame is not UTF-8")
	errTooLarge = errors.New("message too large")
)

// peerClosed is the close frame of the peer, in good order.
type peerClosed struct{ code int }

func (e *peerClosed) Error() string { return fmt.Sprintf("closed by the peer with %d", e.code) }

// frameReader reads the messages of a websocket (RFC 6455, without extensions) for a server. It is not
// gorilla's because of what that keeps while it waits: a buffer for every connection and a stack that
// needs 4 KiB. This one waits without a buffer, on a stack of 2 KiB, where the connection is a socket
// of the system's own, and otherwise (TLS, a pipe) with a small one.
type frameReader struct {
	conn       net.Conn
	raw        syscall.RawConn // nil where the buffer must be there before the bytes are
	onReadable func(fd uintptr) bool
	buffers    *sync.Pool // of *[]byte, each readBuffer long
	limit      int        // of a message, in bytes; may be raised between two

	// aside is told of each frame that is not a message by itself: fragments, and control frames with their data, which
	// is only lent. An error ends reading.
	aside func(op byte, data []byte) error

	buf  *[]byte // nil while there is nothing in it
	r, w int     // what is read of it and what is in it
	err  error   // of the last read, until fill returns it

	kind   byte   // of the message under way: 0 for none
	parts  []byte // what came of it
	broken error
}

func newFrameReader(conn net.Conn, buffers *sync.Pool, limit int, aside func(byte, []byte) error) *frameReader {
	f := &frameReader{conn: conn, buffers: buffers, limit: limit, aside: aside}
	switch c := conn.(type) { // by name: what only embeds one of them may read in its own way
	case *net.TCPConn:
		f.raw, _ = c.SyscallConn()
	case *net.UnixConn:
		f.raw, _ = c.SyscallConn()
	}
	if f.raw != nil && canReadRaw {
		f.onReadable = f.take
		return f
	}
	f.raw = nil
	own := make([]byte, smallReadBuffer)
	f.buf = &own
	return f
}

// wait returns when there is something to read, if only an error. It is the place to wait at, with as
// little as possible on the stack.
func (f *frameReader) wait() error {
	if f.r < f.w || f.broken != nil {
		return f.broken
	}
	return f.fill()
}

// more says whether something is read already that next has not returned yet.
func (f *frameReader) more() bool { return f.r < f.w }

// fill reads once. What has been read before is kept, and there is room behind it: see need.
func (f *frameReader) fill() error {
	if f.r == f.w {
		f.r, f.w = 0, 0
	}
	if f.raw == nil {
		n, err := f.conn.Read((*f.buf)[f.w:])
		if f.w += n; n > 0 {
			return nil
		}
		return err
	}
	if err := f.raw.Read(f.onReadable); err != nil {
		return err
	}
	return f.err
}

// take reads what there is, into a buffer that is only borrowed once there is something.
func (f *frameReader) take(fd uintptr) (done bool) {
	if f.buf == nil {
		f.buf = f.buffers.Get().(*[]byte)
	}
	n, again, err := readRaw(fd, (*f.buf)[f.w:])
	if n <= 0 && f.w == 0 {
		f.buffers.Put(f.buf)
		f.buf = nil
	}
	if again {
		return false
	}
	if n == 0 && err == nil {
		err = io.EOF
	}
	if f.err = err; n > 0 {
		f.w += n
	}
	return true
}

// need returns the next n bytes, which must fit into the buffer. They stay good until the next read.
func (f *frameReader) need(n int) ([]byte, error) {
	for f.w-f.r < n {
		if f.r > 0 && f.r < f.w && f.r+n > len(*f.buf) {
			f.w = copy(*f.buf, (*f.buf)[f.r:f.w])
			f.r = 0
		}
		if err := f.fill(); err != nil {
			return nil, err
		}
	}
	b := (*f.buf)[f.r : f.r+n]
	f.r += n
	return b, nil
}

// next reads one message, into memory of its own. After an error there is nothing more.
func (f *frameReader) next() (data []byte, binary bool, err error) {
	for f.broken == nil {
		h, err := f.header()
		if err != nil {
			f.broken = err
			break
		}
		if h.op >= websocket.CloseMessage {
			f.broken = f.control(h)
			continue
		}
		if f.broken = f.fragment(h); f.broken == nil && (h.op == 0 || !h.final) {
			f.broken = f.aside(h.op, nil)
		}
		if f.broken != nil || !h.final {
			continue
		}
		kind, data := f.kind, f.parts
		f.kind, f.parts = 0, nil
		if data == nil {
			data = []byte{}
		}
		if kind == opText && !utf8.Valid(data) {
			f.broken = errBadText
			break
		}
		return data, kind == opBinary, nil
	}
	f.parts = nil
	return nil, false, f.broken
}

// frameHeader is the part of a frame in front of its payload.
type frameHeader struct {
	op    byte
	final bool
	size  int
	mask  [4]byte
}

func (f *frameReader) header() (h frameHeader, err error) {
	b, err := f.need(2)
	if err != nil {
		return h, err
	}
	h.op, h.final = b[0]&0x0f, b[0]&0x80 != 0
	size, masked := uint64(b[1]&0x7f), b[1]&0x80 != 0
	switch {
	case b[0]&0x70 != 0:
		return h, malformed("reserved bits of a frame")
	case !masked:
		return h, malformed("frame without a mask")
	case h.op >= websocket.CloseMessage && (h.op > websocket.PongMessage || !h.final || size > 125):
		return h, malformed("control frame")
	case h.op < websocket.CloseMessage && h.op > websocket.BinaryMessage:
		return h, malformed("unknown type of frame")
	case h.op != 0 && h.op < websocket.CloseMessage && f.kind != 0:
		return h, malformed("message within a message")
	case h.op == 0 && f.kind == 0:
		return h, malformed("continuation of nothing")
	case size == 126:
		if b, err = f.need(2); err != nil {
			return h, err
		}
		size = uint64(binary.BigEndian.Uint16(b))
	case size == 127:
		if b, err = f.need(8); err != nil {
			return h, err
		}
		if size = binary.BigEndian.Uint64(b); size > math.MaxInt64 {
			return h, errTooLarge
		}
	}
	if h.op < websocket.CloseMessage && size > uint64(f.limit-len(f.parts)) {
		return h, errTooLarge
	}
	h.size = int(size)
	if b, err = f.need(len(h.mask)); err != nil {
		return h, err
	}
	copy(h.mask[:], b)
	return h, nil
}

// fragment reads the payload of a data frame, and no more memory is taken for it than has come.
func (f *frameReader) fragment(h frameHeader) error {
	if h.op != 0 {
		f.kind = h.op
	}
	for done := 0; done < h.size; {
		if f.r == f.w {
			if err := f.fill(); err != nil {
				return err
			}
		}
		n := min(h.size-done, f.w-f.r)
		if f.parts == nil {
			f.parts = make([]byte, 0, n) // the whole message, most of the time
		}
		f.parts = append(f.parts, (*f.buf)[f.r:f.r+n]...)
		f.r += n
		unmask(f.parts[len(f.parts)-n:], h.mask, done)
		done += n
	}
	return nil
}

// control handles a frame that may come between the fragments of a message.
func (f *frameReader) control(h frameHeader) error {
	data, err := f.need(h.size)
	if err != nil {
		return err
	}
	unmask(data, h.mask, 0)
	if h.op != websocket.CloseMessage {
		return f.aside(h.op, data)
	}
	if len(data) == 0 {
		return &peerClosed{websocket.CloseNoStatusReceived}
	}
	if len(data) == 1 {
		return malformed("close frame")
	}
	code := int(binary.BigEndian.Uint16(data))
	if !validClose(code) || !utf8.Valid(data[2:]) {
		return malformed("close frame")
	}
	return &peerClosed{code}
}

// validClose says whether a peer may give code as its reason (RFC 6455, section 7.4).
func validClose(code int) bool {
	switch {
	case code >= 3000 && code <= 4999:
		return true
	case code == websocket.CloseNoStatusReceived, code == websocket.CloseAbnormalClosure, code == 1004:
		return false
	}
	return code >= websocket.CloseNormalClosure && code <= 1014
}

// unmask takes the client's mask off; b starts at offset of its frame's payload.
func unmask(b []byte, mask [4]byte, offset int) {
	if mask == [4]byte{} {
		return
	}
	var turned [8]byte
	for i := range turned {
		turned[i] = mask[(offset+i)&3]
	}
	wide := binary.LittleEndian.Uint64(turned[:])
	for len(b) >= 8 {
		binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(b)^wide)
		b = b[8:]
	}
	for i := range b {
		b[i] ^= turned[i]
	}
}
