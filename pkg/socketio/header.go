package socketio

import (
	"net/http"
	"strings"
)

const (
	// maxHeader bounds the header and query of a request, in bytes, each field counting fieldCost more than it has,
	// and maxFields its fields: of tiny ones a session would keep, and Authenticate be shown, many times their bytes.
	maxHeader = 32 << 10
	maxFields = 100
	fieldCost = 100
)

func tooLarge(r *http.Request) bool {
	size, fields := len(r.URL.RawQuery), 0
	for name, values := range r.Header {
		fields += len(values)
		for _, value := range values {
			size += len(name) + len(value) + fieldCost
		}
	}
	return size > maxHeader || fields > maxFields
}

// packedHeader is a header as one piece of text: a third of what the map takes, and nothing else of the request.
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
