// Command plot draws the golden signals of the overview dashboard, as a Prometheus has them, as SVG:
//
//	plot -prometheus http://127.0.0.1:9090 -from 5m -step 1s > golden-signals.svg
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"math"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/dozaar/dozaar/deploy/grafana"
	"github.com/dozaar/dozaar/loadtest/chart"
)

func main() {
	address := flag.String("prometheus", "http://127.0.0.1:9090", "base URL of the Prometheus")
	from := flag.Duration("from", 5*time.Minute, "how far back")
	step := flag.Duration("step", time.Second, "between two points")
	window := flag.Duration("window", 5*time.Second, "range of rates: some scrapes")
	flag.Parse()
	svg, err := plot(context.Background(), asked{*address, *from, *step, *window})
	if err != nil {
		fmt.Fprintln(os.Stderr, "plot:", err)
		os.Exit(1)
	}
	fmt.Print(svg)
}

// asked is which part of which Prometheus's data is drawn.
type asked struct {
	address            string
	from, step, window time.Duration
}

func plot(ctx context.Context, a asked) (string, error) {
	all, err := grafana.Dashboards()
	if err != nil {
		return "", err
	}
	var charts []chart.Chart
	for _, d := range all {
		for _, p := range d.Panels {
			if !p.Golden {
				continue
			}
			c := chart.Chart{Title: p.Title, Unit: p.Unit}
			for _, q := range p.Queries {
				lines, err := a.ask(ctx, q)
				if err != nil {
					return "", fmt.Errorf("%s: %w", p.Title, err)
				}
				c.Lines = append(c.Lines, lines...)
			}
			charts = append(charts, c)
		}
	}
	return chart.Draw(charts), nil
}

// ask gets what a query answers, over the seconds since the beginning.
func (a asked) ask(ctx context.Context, q grafana.Query) ([]chart.Line, error) {
	end := time.Now()
	query := url.Values{
		"query": {strings.ReplaceAll(q.Expr, "$__rate_interval", a.window.String())},
		"start": {fmt.Sprint(end.Add(-a.from).Unix())}, "end": {fmt.Sprint(end.Unix())}, "step": {fmt.Sprint(a.step.Seconds())},
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, a.address+"/api/v1/query_range?"+query.Encode(), nil)
	if err != nil {
		return nil, err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	var answer struct {
		Error string
		Data  struct {
			Result []struct {
				Metric map[string]string
				Values [][2]any
			}
		}
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return nil, err
	}
	if answer.Error != "" {
		return nil, fmt.Errorf("%s: %s", q.Expr, answer.Error)
	}
	var lines []chart.Line
	for _, r := range answer.Data.Result {
		l := chart.Line{Name: legend(q.Legend, r.Metric)}
		for _, v := range r.Values {
			at, _ := v[0].(float64)
			text, _ := v[1].(string)
			is, err := strconv.ParseFloat(text, 64)
			if err != nil || math.IsNaN(is) || math.IsInf(is, 0) {
				continue
			}
			l.At, l.Is = append(l.At, at-float64(end.Add(-a.from).Unix())), append(l.Is, is)
		}
		lines = append(lines, l)
	}
	return lines, nil
}

func legend(text string, labels map[string]string) string {
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		text = strings.ReplaceAll(text, "{{"+name+"}}", labels[name])
	}
	return text
}
