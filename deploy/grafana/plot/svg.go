package main

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// chart is what one panel shows.
type chart struct {
	title, unit string
	lines       []line
}

// In pixels: a chart, and what its axes and its legend take.
const (
	width, height             = 460, 250
	left, top, right, bottom  = 56, 28, 12, 62
	plotWidth, plotHeight     = width - left - right, height - top - bottom
	ticks                     = 4
	legendColumns, legendLine = 3, 14
)

var colours = []string{"#3366cc", "#dc3912", "#109618", "#ff9900", "#990099", "#0099c6", "#dd4477", "#66aa00"}

// draw puts two charts side by side.
func draw(charts []chart) string {
	var out strings.Builder
	rows := (len(charts) + 1) / 2
	fmt.Fprintf(&out, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="11">`+"\n", 2*width, rows*height)
	fmt.Fprintf(&out, `<rect width="100%%" height="100%%" fill="white"/>`+"\n")
	for i, c := range charts {
		fmt.Fprintf(&out, `<g transform="translate(%d,%d)">`+"\n", i%2*width, i/2*height)
		c.draw(&out)
		out.WriteString("</g>\n")
	}
	out.WriteString("</svg>\n")
	return out.String()
}

func (c chart) draw(out *strings.Builder) {
	begin, end, highest := math.Inf(1), math.Inf(-1), 0.0
	for _, l := range c.lines {
		for i := range l.at {
			begin, end, highest = min(begin, l.at[i]), max(end, l.at[i]), max(highest, l.is[i])
		}
	}
	highest = ceiling(highest)
	span := max(end-begin, 1)
	x := func(at float64) float64 { return left + (at-begin)/span*plotWidth }
	y := func(is float64) float64 { return top + (1-is/highest)*plotHeight }

	fmt.Fprintf(out, `<text x="%d" y="16" font-weight="bold">%s</text>`+"\n", left, html.EscapeString(c.title))
	for i := range ticks + 1 {
		v := highest * float64(i) / ticks
		fmt.Fprintf(out, `<path d="M%d %.1fh%d" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end">%s</text>`+"\n",
			left, y(v), plotWidth, left-4, y(v)+4, number(v, c.unit))
	}
	for i := range ticks + 1 {
		at := span * float64(i) / ticks
		fmt.Fprintf(out, `<text x="%.1f" y="%d" text-anchor="middle">%.0f s</text>`+"\n", x(begin+at), top+plotHeight+14, at)
	}
	for n, l := range c.lines {
		colour := colours[n%len(colours)]
		var path strings.Builder
		for i := range l.at {
			fmt.Fprintf(&path, "%c%.1f %.1f", "ML"[min(i, 1)], x(l.at[i]), y(l.is[i]))
		}
		fmt.Fprintf(out, `<path d="%s" fill="none" stroke="%s" stroke-width="1.5"/>`+"\n", path.String(), colour)
		fmt.Fprintf(out, `<text x="%d" y="%d" fill="%s">%s</text>`+"\n", left+n%legendColumns*(plotWidth/legendColumns),
			top+plotHeight+30+n/legendColumns*legendLine, colour, html.EscapeString(l.name))
	}
}

// ceiling is the next of 1, 2, 5, 10 … that is not below v.
func ceiling(v float64) float64 {
	if v <= 0 {
		return 1
	}
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, step := range []float64{1, 2, 5} {
		if v <= step*power {
			return step * power
		}
	}
	return 10 * power
}

func number(v float64, unit string) string {
	switch unit {
	case "s":
		if v >= 1 {
			return fmt.Sprintf("%.3g s", v)
		}
		return fmt.Sprintf("%.3g ms", 1000*v)
	case "ops":
		return fmt.Sprintf("%.4g/s", v)
	case "percentunit":
		return fmt.Sprintf("%.3g %%", 100*v)
	}
	return fmt.Sprintf("%.4g", v)
}
