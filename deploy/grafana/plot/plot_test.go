package main

import (
	"context"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// A Prometheus with two points, one of them no number, and a label that wants escaping.
func TestPlot(t *testing.T) {
	asked := asked{from: time.Minute, step: time.Second, window: 7 * time.Second}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query := r.FormValue("query")
		if strings.Contains(query, "$") || strings.Contains(query, "rate(") && !strings.Contains(query, "[7s]") {
			t.Errorf("asked for %s", query)
		}
		_, _ = io.WriteString(w, `{"data":{"result":[{"metric":{"slo":"<Sends>"},"values":[[100,"0.25"],[101,"NaN"],[102,"0.5"]]}]}}`)
	}))
	defer server.Close()
	asked.address = server.URL
	svg, err := plot(context.Background(), asked)
	if err != nil {
		t.Fatal(err)
	}
	for decoder := xml.NewDecoder(strings.NewReader(svg)); ; {
		if _, err := decoder.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("no XML: %v\n%s", err, svg)
		}
	}
	for _, want := range []string{"Latency", "Traffic", "Errors", "Saturation", "&lt;Sends&gt;", "500 ms"} {
		if !strings.Contains(svg, want) {
			t.Errorf("%s is not in it", want)
		}
	}
	if strings.Contains(svg, "NaN") || strings.Count(svg, "stroke-width") < 7 {
		t.Error(svg)
	}
}

func TestPlotSaysWhatIsWrong(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"error":"parse error"}`)
	}))
	defer server.Close()
	if _, err := plot(context.Background(), asked{address: server.URL, from: time.Minute, step: time.Second}); err == nil || !strings.Contains(err.Error(), "parse error") {
		t.Error(err)
	}
}
