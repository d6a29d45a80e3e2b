package observe

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// A collector that refuses is told of in the log, in its form, and nowhere else.
func TestTracesThatCannotBeSentAreLogged(t *testing.T) {
	collector := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadRequest) }))
	defer collector.Close()
	var out bytes.Buffer
	traces, err := NewTraces(t.Context(), TraceConfig{URL: collector.URL, Ratio: 1, Service: "test", Logger: slog.New(slog.NewTextHandler(&out, nil))})
	if err != nil {
		t.Fatal(err)
	}
	_, span := traces.Tracer("test").Start(t.Context(), "span")
	span.End()
	if err := traces.Shutdown(context.Background()); err != nil {
		t.Error(err)
	}
	if got := out.String(); !strings.Contains(got, "traces could not be sent") || !strings.Contains(got, "spans=1") {
		t.Errorf("the log says %q", got)
	}
}
