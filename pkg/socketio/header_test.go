package socketio

import (
	"context"
	"net/http"
	"reflect"
	"testing"
)

func TestPackedHeader(t *testing.T) {
	for name, h := range map[string]http.Header{
		"none":         {},
		"one":          {"Host": {"x"}},
		"empty value":  {"X-Empty": {""}, "Y": {"y"}},
		"several":      {"Cookie": {"a=b; c=d", "e=f"}, "User-Agent": {"Mozilla/5.0 (X11; Linux x86_64)"}},
		"colons":       {"Referer": {"https://example.org:8443/a?b=c:d"}},
		"other octets": {"X-Name": {"J\xfcrgen\tM\u00fcller"}},
	} {
		if got := packHeader(h).unpack(); !reflect.DeepEqual(got, h) {
			t.Errorf("%s: %v became %v", name, h, got)
		}
	}
}

// TestHeaderOfTheSecondNamespace joins two namespaces: each Authenticate sees the whole header.
func TestHeaderOfTheSecondNamespace(t *testing.T) {
	headers := make(chan http.Header, 2)
	h := &script{authenticate: func(_ context.Context, hs Handshake) (any, error) {
		headers <- hs.Header
		return nil, nil
	}}
	r := newRig(t, Config{}, map[string]Handler{"/chat": h, "/other": h})
	p := r.websocket()
	defer p.close()
	for _, namespace := range []string{"/chat", "/other"} {
		p.send("40" + namespace + ",")
		expect(t, p, "40"+namespace+",{")
	}
	first, second := receive(t, "the first header", headers), receive(t, "the second header", headers)
	if len(first["Sec-Websocket-Key"]) != 1 || !reflect.DeepEqual(first, second) {
		t.Errorf("%v, then %v", first, second)
	}
}
