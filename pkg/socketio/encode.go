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

// Binary is an argument of Emit, Encode or Ack that travels as a binary attachment. It is taken as
// such only where it is an argument itself, not inside of one.
type Binary []byte

// Encode makes the packet for an event. args are encoded by encoding/json, structs in the order of
// their fields and without HTML escapes; a Binary becomes an attachment.
func Encode(namespace, event string, args ...any) (*Packet, error) {
	if reservedEvent(event) {
		return nil, fmt.Errorf("socketio: event name %q is reserved", event)
	}
	return encodePacket(typeEvent, namespace, -1, append([]any{event}, args...))
}

// frameRoom is the longest header of an unmasked websocket frame.
const frameRoom = 10

// encodePacket builds an EVENT or ACK, binary where args need it. A negative id is none.
func encodePacket(kind byte, namespace string, id int64, args []any) (*Packet, error) {
	p := &Packet{namespace: namespace}
	for i, a := range args {
		if b, ok := a.(Binary); ok {
			if p.more == nil {
				args = append([]any(nil), args...)
			}
			args[i] = placeholder{Placeholder: true, Num: len(p.more)}
			p.more = append(p.more, framed(opBinary, b))
		}
	}
	var buf bytes.Buffer
	buf.Write(make([]byte, frameRoom, frameRoom+128))
	buf.WriteByte(engineMessage)
	if len(p.more) > 0 {
		buf.WriteByte(kind + (typeBinaryEvent - typeEvent))
		buf.WriteString(strconv.Itoa(len(p.more)))
		buf.WriteByte('-')
	} else {
		buf.WriteByte(kind)
	}
	writeNamespace(&buf, namespace)
	if id >= 0 {
		buf.WriteString(strconv.FormatInt(id, 10))
	}
	if err := writeArgs(&buf, args); err != nil {
		return nil, err
	}
	p.first = finishFrame(buf.Bytes(), opText)
	return p, nil
}

type placeholder struct {
	Placeholder bool `json:"_placeholder"`
	Num         int  `json:"num"`
}

func writeNamespace(buf *bytes.Buffer, namespace string) {
	if namespace != "/" {
		buf.WriteString(namespace)
		buf.WriteByte(',')
	}
}

func writeArgs(buf *bytes.Buffer, args []any) error {
	enc := json.NewEncoder(buf)
	enc.SetEscapeHTML(false)
	buf.WriteByte('[')
	for i, a := range args {
		if i > 0 {
			buf.WriteByte(',')
		}
		if err := enc.Encode(a); err != nil {
			return fmt.Errorf("socketio: encode argument %d: %w", i, err)
		}
		buf.Truncate(buf.Len() - 1) // Encode ends with a line break
	}
	buf.WriteByte(']')
	return nil
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
