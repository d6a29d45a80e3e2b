package socketio

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

// The types of Engine.IO packets and of the Socket.IO packets that their messages carry.
const (
	engineOpen    = '0'
	engineClose   = '1'
	enginePing    = '2'
	enginePong    = '3'
	engineMessage = '4'
	engineUpgrade = '5'
	engineNoop    = '6'

	typeConnect      = '0'
	typeDisconnect   = '1'
	typeEvent        = '2'
	typeAck          = '3'
	typeConnectError = '4'
	typeBinaryEvent  = '5'
	typeBinaryAck    = '6'
)

const (
	maxNamespace = 256        // bytes of a namespace's name
	maxAckID     = 1<<53 - 1  // what a JavaScript client can count to
	separator    = byte(0x1e) // between the packets of a polling payload
	noAck        = int64(-1)  // an event that wants no acknowledgement
)

// mainNamespace is the one that packets do not name. It never changes.
var mainNamespace = []byte("/")

// errProtocol is what every packet that breaks the protocol fails with.
var errProtocol = errors.New("protocol error")

func malformed(what string) error { return fmt.Errorf("%w: %s", errProtocol, what) }

// packet is a decoded Socket.IO packet. Its parts alias what it was decoded from.
type packet struct {
	kind        byte
	namespace   []byte
	ack         int64 // noAck for none
	attachments int
	payload     []byte            // of CONNECT: an object, or nil
	args        []json.RawMessage // of an event, behind its name
	name        string
	memory      *eventMemory // of an event
}

// eventMemory is what an event takes besides its bytes, most of the time, in one piece.
type eventMemory struct {
	ack  ack
	args [1]json.RawMessage
}

// decodePacket decodes what a client may send: CONNECT, DISCONNECT and events, in UTF-8. Everything
// else is an error, and so is anything that a correct client would not send.
func decodePacket(data []byte, maxAttachments int) (packet, error) {
	p := packet{ack: noAck, namespace: mainNamespace}
	if len(data) == 0 {
		return p, malformed("empty packet")
	}
	p.kind, data = data[0], data[1:]
	var err error
	if p.kind == typeBinaryEvent {
		if p.attachments, data, err = decodeCount(data, maxAttachments); err != nil {
			return p, err
		}
	}
	if len(data) > 0 && data[0] == '/' {
		name, rest, _ := bytes.Cut(data, []byte{','})
		if len(name) > maxNamespace {
			return p, malformed("namespace too long")
		}
		p.namespace, data = name, rest
	}
	switch p.kind {
	case typeConnect:
		if len(data) == 0 {
			return p, nil
		}
		p.payload = data
		if err := checkObject(data); err != nil {
			return p, fmt.Errorf("%w: %w", errProtocol, err)
		}
		return p, nil
	case typeDisconnect:
		if len(data) > 0 {
			return p, malformed("DISCONNECT with a payload")
		}
		return p, nil
	case typeEvent, typeBinaryEvent:
		return p, p.decodeEvent(data)
	case typeAck, typeBinaryAck:
		return p, malformed("an acknowledgement that nobody asked for")
	}
	return p, malformed("unknown packet type")
}

// decodeCount reads the number of attachments and the dash behind it.
func decodeCount(data []byte, most int) (int, []byte, error) {
	digits, rest, ok := bytes.Cut(data, []byte{'-'})
	if !ok || len(digits) == 0 || len(digits) > 4 {
		return 0, nil, malformed("number of attachments")
	}
	n, err := strconv.ParseUint(string(digits), 10, 16)
	if err != nil || n == 0 || int(n) > most {
		return 0, nil, malformed("number of attachments")
	}
	return int(n), rest, nil
}

func (p *packet) decodeEvent(data []byte) error {
	digits := 0
	for digits < len(data) && data[digits] >= '0' && data[digits] <= '9' {
		digits++
	}
	if digits > 0 {
		id, err := strconv.ParseUint(string(data[:min(digits, 20)]), 10, 64)
		if err != nil || id > maxAckID || digits > 16 {
			return malformed("acknowledgement id")
		}
		p.ack, data = int64(id), data[digits:]
	}
	var some [4]json.RawMessage
	args, err := splitArray(some[:0], data)
	if err != nil {
		return fmt.Errorf("%w: %w", errProtocol, err)
	}
	if len(args) == 0 || args[0][0] != '"' {
		return malformed("event without a name")
	}
	quoted := args[0]
	if plainRun(quoted[1:]) == len(quoted)-2 {
		p.name = string(quoted[1 : len(quoted)-1])
	} else {
		var name string // of its own: p is not to be moved to the heap
		if err := json.Unmarshal(quoted, &name); err != nil {
			return fmt.Errorf("%w: %w", errProtocol, err)
		}
		p.name = name
	}
	if reservedEvent(p.name) {
		return malformed("reserved event name")
	}
	p.memory = new(eventMemory)
	p.args = append(p.memory.args[:0], args[1:]...)
	if p.attachments > 0 {
		return checkPlaceholders(data, p.attachments)
	}
	return nil
}

func reservedEvent(name string) bool {
	switch name {
	case "connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener":
		return true
	}
	return false
}

// attachmentOf says whether an object is a placeholder, and of which attachment; -1 for one that is not there. Names
// are as they are written: "NUM" is none.
func attachmentOf(object map[string]any, attachments int) (i int, is bool) {
	if object["_placeholder"] != true {
		return 0, false
	}
	num, ok := object["num"].(float64)
	if i = int(num); !ok || num < 0 || num >= float64(attachments) || float64(i) != num {
		return -1, true
	}
	return i, true
}

// checkPlaceholders requires each attachment to be named by exactly one placeholder.
func checkPlaceholders(data []byte, attachments int) error {
	var tree any
	if err := json.Unmarshal(data, &tree); err != nil {
		return fmt.Errorf("%w: %w", errProtocol, err)
	}
	seen, found := make([]bool, attachments), 0
	var walk func(any) bool
	walk = func(v any) bool {
		switch v := v.(type) {
		case []any:
			for _, e := range v {
				if !walk(e) {
					return false
				}
			}
		case map[string]any:
			if i, is := attachmentOf(v, attachments); is {
				if i < 0 || seen[i] {
					return false
				}
				seen[i] = true
				found++
				return true
			}
			for _, e := range v {
				if !walk(e) {
					return false
				}
			}
		}
		return true
	}
	if !walk(tree) || found != attachments {
		return malformed("placeholders")
	}
	return nil
}
