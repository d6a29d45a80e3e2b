package report

import (
	"fmt"
	"html/template"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/dozaar/dozaar/loadtest/chart"
	"github.com/dozaar/dozaar/loadtest/load"
)

// Page is the summary for people, as HTML.
func (s Summary) Page() (string, error) {
	var verdict, out strings.Builder
	s.Verdict.Print(&verdict)
	err := page.Execute(&out, map[string]any{
		"Summary": s, "Clean": s.Verdict.Clean(), "Verdict": verdict.String(),
		"Plots": template.HTML(chart.Draw(s.charts())), //nolint:gosec // made here, names in it are escaped
		"Waits": []wait{{"acknowledged", s.Latency.Acked}, {"delivered", s.Latency.Delivered}, {"of which the generator's own", s.Course.Late}},
		"Names": slices.Sorted(maps.Keys(s.Settings)),
	})
	return out.String(), err
}

type wait struct {
	Name string
	load.Quantiles
}

// charts are latency, throughput and processes over time, and latency by percentile.
func (s Summary) charts() []chart.Chart {
	c := s.Course
	over := func(title, unit string, lines ...series) chart.Chart {
		drawn := chart.Chart{Title: title, Unit: unit}
		for _, n := range c.Notes {
			drawn.Marks = append(drawn.Marks, chart.Tick{At: n.At, Text: fmt.Sprintf("%.0f s: %s", n.At, n.Text)})
		}
		for _, l := range lines {
			line := chart.Line{Name: l.name}
			for _, m := range c.Moments {
				line.At, line.Is = append(line.At, m.At), append(line.Is, l.of(m))
			}
			drawn.Lines = append(drawn.Lines, line)
		}
		return drawn
	}
	var cores, bytes []series
	for _, cost := range c.Costs {
		cores = append(cores, series{cost.Name, func(m load.Moment) float64 { return m.Processes[cost.Name].Cores }})
		bytes = append(bytes, series{cost.Name, func(m load.Moment) float64 { return float64(m.Processes[cost.Name].Bytes) }})
	}
	return []chart.Chart{
		over("Until a device was shown it", "s", waits(func(m load.Moment) load.Quantiles { return m.Latency.Delivered })...),
		over("Until the acknowledgement", "s", waits(func(m load.Moment) load.Quantiles { return m.Latency.Acked })...),
		s.percentiles(),
		over("Messages", "ops",
			series{"due", func(m load.Moment) float64 { return m.Due }}, series{"acknowledged", func(m load.Moment) float64 { return m.Acked }},
			series{"shown", func(m load.Moment) float64 { return m.Delivered }}, series{"paged", func(m load.Moment) float64 { return m.Paged }}),
		over("Devices that are connected", "", series{"connected", func(m load.Moment) float64 { return float64(m.Connected) }}),
		over("Trouble", "ops",
			series{"errors", func(m load.Moment) float64 { return m.Errors }}, series{"came back", func(m load.Moment) float64 { return m.Reconnects }}),
		over("CPU, of one core", "percentunit", cores...),
		over("Memory, resident", "bytes", bytes...),
	}
}

type series struct {
	name string
	of   func(load.Moment) float64
}

func waits(of func(load.Moment) load.Quantiles) []series {
	line := func(name string, which func(load.Quantiles) time.Duration) series {
		return series{name, func(m load.Moment) float64 {
			if of(m).Count == 0 {
				return math.NaN() // nobody waited, or in vain
			}
			return which(of(m)).Seconds()
		}}
	}
	return []series{
		line("p50", func(q load.Quantiles) time.Duration { return q.P50 }),
		line("p99", func(q load.Quantiles) time.Duration { return q.P99 }),
		line("most", func(q load.Quantiles) time.Duration { return q.Max }),
	}
}

// percentiles are drawn so that each half of those that are left takes as much room as the half before.
func (s Summary) percentiles() chart.Chart {
	c := chart.Chart{Title: "What share waited no longer", Unit: "s"}
	for _, w := range []wait{{"acknowledged", s.Latency.Acked}, {"delivered", s.Latency.Delivered}} {
		line := chart.Line{Name: w.Name}
		for _, q := range w.Curve {
			line.At, line.Is = append(line.At, place(q.Share)), append(line.Is, q.Took.Seconds())
		}
		c.Lines = append(c.Lines, line)
	}
	most := max(len(s.Latency.Acked.Curve), len(s.Latency.Delivered.Curve)) - 1
	for _, share := range []float64{0, 0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999} {
		if place(share) <= float64(most) {
			c.Ticks = append(c.Ticks, chart.Tick{At: place(share), Text: fmt.Sprintf("%g %%", 100*share)})
		}
	}
	return c
}

func place(share float64) float64 { return -math.Log2(1 - share) }

var page = template.Must(template.New("page").Funcs(template.FuncMap{
	"ms":    func(d time.Duration) string { return fmt.Sprintf("%.2f", d.Seconds()*1e3) },
	"mb":    func(bytes int64) string { return fmt.Sprintf("%.1f", float64(bytes)/1e6) },
	"each":  func(v float64) string { return fmt.Sprintf("%.1f", v) },
	"share": func(cpu, seconds float64) string { return fmt.Sprintf("%.1f %%", 100*cpu/max(seconds, 1e-9)) },
	"rate":  func(n int64, seconds float64) string { return fmt.Sprintf("%.1f", float64(n)/max(seconds, 1e-9)) },
}).Parse(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8"/>
<title>{{.Summary.Scenario}}: {{if .Clean}}clean{{else}}not clean{{end}}</title>
<style>
body { font: 14px/1.45 sans-serif; max-width: 940px; margin: 2em auto; color: #222 }
table { border-collapse: collapse; margin: 1em 0 }
td, th { padding: .15em .8em .15em 0; text-align: right; border-bottom: 1px solid #ddd }
td:first-child, th:first-child { text-align: left }
pre { background: #f6f6f6; padding: 1em; overflow-x: auto }
.verdict { font-weight: bold; color: {{if .Clean}}#107018{{else}}#b01010{{end}} }
</style>
</head>
<body>
<h1>{{.Summary.Scenario}}</h1>
<p>{{.Summary.About}}</p>
{{with .Summary.Course}}
<p class="verdict">{{if $.Clean}}Clean: nothing lost, twice, out of order, missing or made up.{{else}}Not clean: see the verdict below.{{end}}</p>
<p>{{$.Summary.Target}} at {{range $.Summary.Gateways}}{{.}} {{end}}, begun {{.Began.UTC.Format "2006-01-02 15:04:05"}} UTC, with {{.Devices}} devices.
Measured for {{each .Seconds}} s: {{.Due}} messages due, {{.Messages}} acknowledged ({{rate .Messages .Seconds}}/s), {{.Deliveries}} deliveries ({{rate .Deliveries .Seconds}}/s).
Who has no answer is in no latency. {{each .Busy}} of the machine's cores were in use, by whomever.</p>
{{range .LeftOut}}<p>Left out, for the target cannot do it: {{.}}.</p>{{end}}
<table>
<tr><th>ms, from when it was due</th><th>count</th><th>p50</th><th>p90</th><th>p99</th><th>p99.9</th><th>most</th></tr>
{{range $.Waits}}<tr><td>{{.Name}}</td><td>{{.Count}}</td><td>{{ms .P50}}</td><td>{{ms .P90}}</td><td>{{ms .P99}}</td><td>{{ms .P999}}</td><td>{{ms .Max}}</td></tr>
{{end}}</table>
{{$seconds := .Seconds}}
<table>
<tr><th>process</th><th>CPU of a core</th><th>µs a message</th><th>µs a delivery</th><th>MB before devices</th><th>MB with all connected</th><th>MB at most</th></tr>
{{range .Costs}}<tr><td>{{.Name}}</td><td>{{share .CPU $seconds}}</td><td>{{each .PerMessage}}</td><td>{{each .PerDelivery}}</td><td>{{mb .Empty}}</td><td>{{mb .Full}}</td><td>{{mb .Peak}}</td></tr>
{{end}}</table>
{{$.Plots}}
{{if .Notes}}<h2>What was done meanwhile</h2>
<table>{{range .Notes}}<tr><td>{{each .At}} s</td><td>{{.Text}}</td></tr>
{{end}}</table>{{end}}
{{end}}
<h2>Verdict</h2>
<pre>{{.Verdict}}</pre>
<h2>Settings</h2>
<table>{{range .Names}}<tr><td>{{.}}</td><td>{{index $.Summary.Settings .}}</td></tr>
{{end}}</table>
<p>{{range .Summary.Machine}}{{.}}; {{end}}</p>
</body>
</html>
`))
