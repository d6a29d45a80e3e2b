package socketio

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// Packet is an event encoded and framed once, to be sent to any number of sockets of one namespace.
// It never changes.
type Packet struct {
	namespace string
	first     frame
	more      []frame // attachments
}

// Size is what the packet weighs on the wire, in bytes.
func (p *Packet) Size() int {
	n := len(p.first.buf)
	for _, f := range p.more {
		n += len(f.buf)
	}
	return n
}

// Payload is the packet as its first message, without the frame: `42/chat,["event",…]`. It must not be
// changed.
func (p *Packet) Payload() []byte { return p.first.payload() }

// Encode makes the packet for an event. args are encoded by encoding/json, structs in the order of
// their fields and without HTML escapes; a Binary becomes an attachment. The error says what cannot be encoded: an
// argument, the name of an event that Socket.IO keeps for itself, or a namespace that Server.Namespace would not take.
//
// JSON that a client sent may be passed on as it is, a json.RawMessage. Beside a Binary it cannot be trusted:
// {"_placeholder":true,"num":7} in it would stand for an attachment, so an object with such a member is an error there.
func Encode(namespace, event string, args ...any) (*Packet, error) {
	if !validNamespace(namespace) {
		return nil, fmt.Errorf("socketio: %q is no name for a namespace", namespace)
	}
	if reservedEvent(event) {
		return nil, fmt.Errorf("socketio: event name %q is reserved", event)
	}
	first, more, err := encodePacket(nil, typeEvent, namespace, noAck, append([]any{event}, args...))
	if err != nil {
		return nil, err
	}
	return &Packet{namespace: namespace, first: first, more: more}, nil
}

// frameRoom is the longest header of an unmasked websocket frame.
const frameRoom = 10

// encodePacket builds an EVENT or ACK, binary where args need it: then more are its attachments. The packet is
// built in scratch as far as that goes, in memory of its own where scratch is nil.
func encodePacket(scratch []byte, kind byte, namespace string, id int64, args []any) (first frame, more []frame, err error) {
	for i, a := range args {
		if p, ok := a.(*Binary); ok && p != nil {
			a = *p
		}
		if b, ok := a.(Binary); ok {
			if more == nil {
				args = append([]any(nil), args...)
			}
			args[i] = placeholder{True: true, Num: len(more)}
			more = append(more, framed(opBinary, b))
		}
	}
	if cap(scratch) < frameRoom {
		scratch = make([]byte, 0, frameRoom+sizeHint(namespace, args))
	}
	buf := scratch[:frameRoom]
	buf = append(buf, engineMessage)
	if len(more) > 0 {
		buf = append(buf, kind+(typeBinaryEvent-typeEvent))
		buf = strconv.AppendInt(buf, int64(len(more)), 10)
		buf = append(buf, '-')
	} else {
		buf = append(buf, kind)
	}
	if namespace != "/" {
		buf = append(buf, namespace...)
		buf = append(buf, ',')
	}
	if id != noAck {
		buf = strconv.AppendInt(buf, id, 10)
	}
	if buf, err = appendArgs(buf, args, len(more) > 0); err != nil {
		return frame{}, nil, err
	}
	return finishFrame(buf, opText), more, nil
}

// sizeHint is about as much as a packet takes.
func sizeHint(namespace string, args []any) int {
	size := len(namespace) + 24
	for _, a := range args {
		switch a := a.(type) {
		case string:
			size += len(a) + 3
		case json.RawMessage:
			size += len(a) + 1
		default:
			size += 128
		}
	}
	return size
}

func writeNamespace(buf *bytes.Buffer, namespace string) {
	if namespace != "/" {
		buf.WriteString(namespace)
		buf.WriteByte(',')
	}
}

// appendArgs takes an event's name for its argument 0.
func appendArgs(buf []byte, args []any, binary bool) ([]byte, error) {
	buf = append(buf, '[')
	for i, a := range args {
		if i > 0 {
			buf = append(buf, ',')
		}
		start := len(buf)
		var err error
		if buf, err = appendArg(buf, a); err == nil && binary {
			err = checkBeside(a, buf[start:])
		}
		if err != nil {
			return nil, fmt.Errorf("socketio: encode argument %d: %w", i, err)
		}
	}
	return append(buf, ']'), nil
}

// appendArg appends a as encoding/json has it, by itself where that is plain, but that JSON which is
// JSON already keeps its white space.
func appendArg(buf []byte, a any) ([]byte, error) {
	switch a := a.(type) {
	case string:
		if plainASCII(a) {
			buf = append(buf, '"')
			buf = append(buf, a...)
			return append(buf, '"'), nil
		}
	case json.RawMessage:
		if validJSON(a) {
			return append(buf, a...), nil
		}
	}
	out := bytes.NewBuffer(buf)
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(a); err != nil {
		return nil, err
	}
	buf = out.Bytes()
	return buf[:len(buf)-1], nil // Encode ends with a line break
}

// plainASCII says whether s stands in JSON as it is.
func plainASCII(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// textFrame frames an Engine.IO packet: its type and what follows.
func textFrame(kind byte, data []byte) frame {
	buf := make([]byte, frameRoom, frameRoom+1+len(data))
	buf = append(buf, kind)
	return finishFrame(append(buf, data...), opText)
}

func framed(op byte, payload []byte) frame {
	buf := make([]byte, frameRoom, frameRoom+len(payload))
	return finishFrame(append(buf, payload...), op)
}

// finishFrame puts the header in front of the payload, which starts at frameRoom.
func finishFrame(buf []byte, op byte) frame {
	n := len(buf) - frameRoom
	start := frameRoom - 2
	switch {
	case n < 126:
		buf[start+1] = byte(n)
	case n <= 0xffff:
		start = frameRoom - 4
		buf[start+1] = 126
		binary.BigEndian.PutUint16(buf[start+2:], uint16(n))
	default:
		start = frameRoom - 10
		buf[start+1] = 127
		binary.BigEndian.PutUint64(buf[start+2:], uint64(n))
	}
	buf[start] = 0x80 | op
	return frame{buf: buf[start:], body: frameRoom - start, binary: op == opBinary}
}

// disconnectPacket is what tells a client that it was sent away, and not cut off.
func disconnectPacket(namespace string) frame {
	var b strings.Builder
	b.WriteByte(typeDisconnect)
	if namespace != "/" {
		b.WriteString(namespace)
		b.WriteByte(',')
	}
	return textFrame(engineMessage, []byte(b.String()))
}
