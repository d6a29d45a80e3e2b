package socketio

import (
	"net/http"
	"strings"
)

// maxHeader bounds the header and query of a request, in bytes.
const maxHeader = 32 << 10

func tooLarge(r *http.Request) bool {
	size := len(r.URL.RawQuery)
	for name, values := range r.Header {
		for _, value := range values {
			size += len(name) + len(value)
		}
	}
	return size > maxHeader
}

// packedHeader is a header as one piece of text: a third of what the map takes. A connection may need
// its own again, for the next namespace that it joins, and most never do.
type packedHeader string

// packHeader packs what net/http has read: names without a colon, values without a line break.
func packHeader(h http.Header) packedHeader {
	size := 0
	for name, values := range h {
		for _, value := range values {
			size += len(name) + len(value) + 2
		}
	}
	var b strings.Builder
	b.Grow(size)
	for name, values := range h {
		for _, value := range values {
			b.WriteString(name)
			b.WriteByte(':')
			b.WriteString(value)
			b.WriteByte('\n')
		}
	}
	return packedHeader(b.String())
}

func (p packedHeader) unpack() http.Header {
	h := make(http.Header)
	for line := range strings.Lines(string(p)) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
		h[name] = append(h[name], value)
	}
	return h
}

// handshakeHeader is the header of the request that opened the session; inbound is held.
func (s *session) handshakeHeader() http.Header {
	if s.header != nil {
		return s.header
	}
	return s.packed.unpack()
}

// packHeader is called once the header has been of use; inbound is held.
func (s *session) packHeader() {
	if s.header != nil {
		s.header, s.packed = nil, packHeader(s.header)
	}
}
