package socketio

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"math/bits"
)

var errJSON = errors.New("malformed JSON")

// maxNesting is how deep JSON may be nested. It is encoding/json's own bound, so a Handler can read
// whatever it is given.
const maxNesting = 10_000

// splitArray checks the syntax of a JSON array (RFC 8259) and appends its elements, which alias data. What
// the text means is left to the Handler: what it says of a name that stands twice, or of half a surrogate
// pair, can name the field, and need not cost the connection.
//
// Every event passes through here and, where it is sent on, through validJSON. A scan that only checks
// takes a fraction of what a decoder does.
func splitArray(elements []json.RawMessage, data []byte) ([]json.RawMessage, error) {
	i := skipSpace(data, 0)
	if i == len(data) || data[i] != '[' {
		return nil, errJSON
	}
	if i = skipSpace(data, i+1); i < len(data) && data[i] == ']' {
		return elements, endOfText(data, i+1)
	}
	for {
		end := scanValue(data, i, maxNesting-1)
		if end < 0 {
			return nil, errJSON
		}
		elements = append(elements, json.RawMessage(data[i:end:end]))
		if i = skipSpace(data, end); i == len(data) {
			return nil, errJSON
		}
		switch data[i] {
		case ',':
			i = skipSpace(data, i+1)
		case ']':
			return elements, endOfText(data, i+1)
		default:
			return nil, errJSON
		}
	}
}

// validJSON says whether data is one JSON value.
func validJSON(data []byte) bool {
	end := scanValue(data, skipSpace(data, 0), maxNesting)
	return end >= 0 && endOfText(data, end) == nil
}

// checkObject says whether data is a JSON object and nothing else.
func checkObject(data []byte) error {
	if i := skipSpace(data, 0); i == len(data) || data[i] != '{' || !validJSON(data) {
		return errJSON
	}
	return nil
}

func endOfText(data []byte, i int) error {
	if skipSpace(data, i) != len(data) {
		return errJSON
	}
	return nil
}

func skipSpace(data []byte, i int) int {
	for i < len(data) && (data[i] == ' ' || data[i] == '\n' || data[i] == '\t' || data[i] == '\r') {
		i++
	}
	return i
}

// nesting remembers which of the open brackets are braces: a bit for each, without memory of its own
// for the first 64.
type nesting struct {
	depth int
	top   uint64   // the innermost up to 64, the last one lowest
	below []uint64 // 64 each
}

func (n *nesting) push(brace uint64) {
	if n.depth > 0 && n.depth%64 == 0 {
		n.below = append(n.below, n.top)
	}
	n.top = n.top<<1 | brace
	n.depth++
}

func (n *nesting) pop() {
	n.top >>= 1
	if n.depth--; n.depth > 0 && n.depth%64 == 0 {
		last := len(n.below) - 1
		n.top, n.below = n.below[last], n.below[:last]
	}
}

// scanValue returns where the value that starts at i ends, and -1 where there is none.
func scanValue(data []byte, i, deepest int) int {
	var open nesting
	for {
		// A value starts at i.
		if i >= len(data) {
			return -1
		}
		switch c := data[i]; c {
		case '[', '{':
			if open.depth == deepest {
				return -1
			}
			brace := uint64(0)
			if c == '{' {
				brace = 1
			}
			if i = skipSpace(data, i+1); i < len(data) && data[i] == c+2 { // ']' or '}'
				i++
				break
			}
			open.push(brace)
			if brace == 1 {
				i = scanName(data, i)
			}
			if i < 0 {
				return -1
			}
			continue
		default:
			if i = scanScalar(data, i); i < 0 {
				return -1
			}
		}
		// It has ended at i, and so may what it is in.
		for open.depth > 0 {
			if i = skipSpace(data, i); i == len(data) {
				return -1
			}
			brace := open.top & 1
			if data[i] == ',' {
				if i = skipSpace(data, i+1); brace == 1 {
					i = scanName(data, i)
				}
				break
			}
			if data[i] != ']'+byte(brace)*('}'-']') {
				return -1
			}
			open.pop()
			i++
		}
		if i < 0 || open.depth == 0 {
			return i
		}
	}
}

// scanName returns where the value of an object's member starts whose name starts at i.
func scanName(data []byte, i int) int {
	if i >= len(data) || data[i] != '"' {
		return -1
	}
	if i = scanString(data, i+1); i < 0 {
		return -1
	}
	if i = skipSpace(data, i); i == len(data) || data[i] != ':' {
		return -1
	}
	return skipSpace(data, i+1)
}

func scanScalar(data []byte, i int) int {
	switch c := data[i]; {
	case c == '"':
		return scanString(data, i+1)
	case c == '-' || c >= '0' && c <= '9':
		return scanNumber(data, i)
	case c == 't':
		return scanWord(data, i, "true")
	case c == 'f':
		return scanWord(data, i, "false")
	case c == 'n':
		return scanWord(data, i, "null")
	}
	return -1
}

func scanWord(data []byte, i int, word string) int {
	if end := i + len(word); end <= len(data) && string(data[i:end]) == word {
		return end
	}
	return -1
}

// scanString returns what is behind the closing quote of a string whose text starts at i.
func scanString(data []byte, i int) int {
	for {
		i += plainRun(data[i:])
		if i == len(data) {
			return -1
		}
		switch data[i] {
		case '"':
			return i + 1
		case '\\':
			if i = scanEscape(data, i+1); i < 0 {
				return -1
			}
		default: // a control character
			return -1
		}
	}
}

func scanEscape(data []byte, i int) int {
	if i == len(data) {
		return -1
	}
	switch data[i] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 1
	case 'u':
		if len(data)-i < 5 {
			return -1
		}
		for _, c := range data[i+1 : i+5] {
			if (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'f') {
				return -1
			}
		}
		return i + 5
	}
	return -1
}

func scanNumber(data []byte, i int) int {
	if data[i] == '-' {
		i++
	}
	start := i
	if i = scanDigits(data, i); i == start || data[start] == '0' && i > start+1 {
		return -1
	}
	if i < len(data) && data[i] == '.' {
		start = i + 1
		if i = scanDigits(data, start); i == start {
			return -1
		}
	}
	if i < len(data) && data[i]|0x20 == 'e' {
		if i++; i < len(data) && (data[i] == '+' || data[i] == '-') {
			i++
		}
		start = i
		if i = scanDigits(data, start); i == start {
			return -1
		}
	}
	return i
}

func scanDigits(data []byte, i int) int {
	for i < len(data) && data[i] >= '0' && data[i] <= '9' {
		i++
	}
	return i
}

// plainRun is how many bytes at the start of data stand for themselves within a JSON string: all but
// control characters, quotes and backslashes.
func plainRun(data []byte) int {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	i := 0
	for ; len(data)-i >= 8; i += 8 {
		w := binary.LittleEndian.Uint64(data[i:])
		quote, backslash := w^ones*'"', w^ones*'\\'
		// The top bit of each byte that does not; above the lowest of them it may be set in others too.
		special := ((w - ones*' ') | (quote - ones) | (backslash - ones)) &^ w & tops
		if special != 0 {
			return i + bits.TrailingZeros64(special)/8
		}
	}
	for i < len(data) && data[i] >= ' ' && data[i] != '"' && data[i] != '\\' {
		i++
	}
	return i
}
