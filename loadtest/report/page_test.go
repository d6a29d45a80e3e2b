package report

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/dozaar/dozaar/loadtest/history"
	"github.com/dozaar/dozaar/loadtest/load"
)

// a run of two seconds in which a message was lost.
func run() Summary {
	waited := load.Quantiles{Count: 3, P50: time.Millisecond, P99: 20 * time.Millisecond, Max: 20 * time.Millisecond,
		Curve: []load.Quantile{{Share: 0, Took: time.Millisecond}, {Share: 0.5, Took: 20 * time.Millisecond}}}
	moment := load.Moment{
		At: 1, Connected: 2, Due: 3, Acked: 3, Delivered: 6, Latency: load.Latency{Acked: waited, Delivered: waited},
		Processes: map[string]load.Usage{"<kafka>": {Cores: 0.5, Bytes: 1e6}},
	}
	later := moment
	later.At = 2
	return Summary{
		Scenario: "a scenario", About: "What <it> is about.", Target: "dozaar", Gateways: []string{"http://127.0.0.1:1"}, Settings: map[string]string{"rate": "3"},
		Result: load.Result{
			Verdict: history.Verdict{
				Findings: map[history.Fault]int{history.Lost: 1}, Examples: []history.Finding{{Kind: history.Lost, Text: "it is not there"}},
				Remarks: []history.Event{{Kind: history.Settled, Outcome: history.OK, Note: "settled"}},
			},
			Latency: load.Latency{Acked: waited, Delivered: waited},
			Course: &load.Course{
				Seconds: 2, Messages: 6, Deliveries: 12, Moments: []load.Moment{moment, later}, Notes: []load.Note{{At: 1.5, Text: "a fault"}},
				Costs: []load.Cost{{Name: "<kafka>", CPU: 1, PerMessage: 166.7, Peak: 1e6}}, LeftOut: []string{"guests"},
			},
		},
	}
}

func TestPageTellsWhatCameOfIt(t *testing.T) {
	page, err := run().Page()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"Not clean", "FOUND: 1 × lost", "it is not there", "What &lt;it&gt; is about.", "&lt;kafka&gt;", "166.7", "50.0 %", "a fault", "guests", "20.00", "Memory, resident",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("%s is not in it", want)
		}
	}
	for _, not := range []string{"<kafka>", "<it>", "NaN", "<script", "http-equiv", "<link"} {
		if strings.Contains(page, not) {
			t.Errorf("%s is in it", not)
		}
	}
	clean := run()
	clean.Verdict = history.Verdict{}
	if page, err = clean.Page(); err != nil || strings.Contains(page, "Not clean") || !strings.Contains(page, "CLEAN") {
		t.Errorf("a clean run is not told as one: %v", err)
	}
}

// TestSummaryCanBeReadBack: whoever compares runs reads what was written.
func TestSummaryCanBeReadBack(t *testing.T) {
	text, err := json.Marshal(run())
	if err != nil {
		t.Fatal(err)
	}
	var back Summary
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(back)
	if err != nil || string(again) != string(text) {
		t.Errorf("%v\n%s\n%s", err, text, again)
	}
}
