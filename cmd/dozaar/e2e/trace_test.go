package e2e

import (
	"compress/gzip"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"
)

// spans is a collector of OpenTelemetry: what it was sent, by the span's id.
type spans struct {
	mu   sync.Mutex
	byID map[string]span // guarded by mu
}

type span struct{ trace, parent, name, service string }

func (s *spans) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body := io.Reader(r.Body)
	if r.Header.Get("Content-Encoding") == "gzip" {
		unpacked, err := gzip.NewReader(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		body = unpacked
	}
	data, err := io.ReadAll(body)
	var sent collector.ExportTraceServiceRequest
	if err != nil || proto.Unmarshal(data, &sent) != nil {
		http.Error(w, "no traces", http.StatusBadRequest)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, from := range sent.GetResourceSpans() {
		service := ""
		for _, attribute := range from.GetResource().GetAttributes() {
			if attribute.GetKey() == "service.name" {
				service = attribute.GetValue().GetStringValue()
			}
		}
		for _, scope := range from.GetScopeSpans() {
			for _, one := range scope.GetSpans() {
				s.byID[hex.EncodeToString(one.GetSpanId())] = span{
					hex.EncodeToString(one.GetTraceId()), hex.EncodeToString(one.GetParentSpanId()), one.GetName(), service,
				}
			}
		}
	}
}

// way is the names from the trace's first span to the one of that name, " > " between them; "" if there is none yet.
func (s *spans) way(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, at := range s.byID {
		if at.name != name {
			continue
		}
		names := []string{at.name}
		for at.parent != "" {
			parent, there := s.byID[at.parent]
			if !there || parent.trace != at.trace {
				names = nil // it has not come yet
				break
			}
			at = parent
			names = append([]string{at.name}, names...)
		}
		if way := strings.Join(names, " > "); strings.HasPrefix(way, "send:message") {
			return way
		}
	}
	return ""
}

// One message's trace: from the sender's event through Kafka, deliver, the store and the relay to the other's socket.
func TestOneTraceOfOneMessage(t *testing.T) {
	traces := &spans{byID: map[string]span{}}
	server := httptest.NewServer(traces)
	defer server.Close()
	p := start(t, "DOZAAR_TRACE_URL="+server.URL, "DOZAAR_TRACE_RATIO=1", "OTEL_BSP_SCHEDULE_DELAY=200")
	c := p.talk(newPerson("Bea"), newPerson("Sam"), "")
	c.say("where does it go?")
	const toDeliver = "send:message > chat.messages publish > chat.messages receive > deliver"
	want := map[string]string{
		"put_messages": toDeliver + " > put_messages",
		"put_heads":    toDeliver + " > put_heads",
		"rebroadcast":  toDeliver + " > rebroadcast",
		"new:message":  toDeliver + " > new:message",
	}
	if realEngines() {
		want["cassandra batch insert messages"] = toDeliver + " > put_messages > cassandra batch insert messages" // and its row by id
	}
	for name, way := range want {
		got := ""
		for end := time.Now().Add(startPatience); got != way && time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
			got = traces.way(name)
		}
		if got != way {
			t.Errorf("%s came by %q, want %q", name, got, way)
		}
	}
	t.Logf("one message's trace: %s", traces.way("new:message"))
}

// Off is the default: nothing is added to a record.
func TestNoTraceByDefault(t *testing.T) {
	traces := &spans{byID: map[string]span{}}
	server := httptest.NewServer(traces)
	defer server.Close()
	p := start(t, "OTEL_EXPORTER_OTLP_ENDPOINT="+server.URL) // OpenTelemetry's own variable turns nothing on
	c := p.talk(newPerson("Bea"), newPerson("Sam"), "")
	c.say("nobody follows")
	p.stop()
	if n := len(traces.byID); n != 0 {
		t.Errorf("%d spans", n)
	}
}
