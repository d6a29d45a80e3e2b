package chart

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
)

func TestDraw(t *testing.T) {
	svg := Draw([]Chart{
		{Title: "Waits <now>", Unit: "s", Lines: []Line{{Name: "p99", At: []float64{5, 6, 9}, Is: []float64{0.1, 0.25, 0.2}}, {Name: "p50", At: []float64{5, 6, 9}, Is: []float64{0.1, math.NaN(), 0.1}}}, Marks: []Tick{{6, "a fault"}}},
		{Title: "Memory", Unit: "bytes", Lines: []Line{{Name: "kafka", At: []float64{0, 1}, Is: []float64{1e6, 5e6}}}, Ticks: []Tick{{0.5, "half"}}},
		{Title: "Nothing"},
	})
	for decoder := xml.NewDecoder(strings.NewReader(svg)); ; {
		if _, err := decoder.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatalf("no XML: %v\n%s", err, svg)
		}
	}
	for _, want := range []string{"Waits &lt;now&gt;", "500 ms", "a fault", "5 MB", "half", ">4 s<"} {
		if !strings.Contains(svg, want) {
			t.Errorf("%s is not in it", want)
		}
	}
	if gap := `d="M56.0 156.0M448.0 156.0"`; strings.Contains(svg, "NaN") || strings.Contains(svg, "Inf") || !strings.Contains(svg, gap) {
		t.Error(svg)
	}
}
