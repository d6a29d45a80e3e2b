// Package chart draws lines over time, or over something else, and bars, as SVG. It needs no script and no style of the page
// around it.
package chart

import (
	"fmt"
	"html"
	"math"
	"strings"
)

// Chart is some lines in one pair of axes, or bars.
type Chart struct {
	Title, Unit string // the unit of what is drawn: s, ops, percentunit, bytes, or none
	Bars        []Bar  // instead of lines
	Lines       []Line
	Ticks       []Tick // below the horizontal axis, where that is not seconds
	Marks       []Tick // moments at which something was done
}

// Bar is one value.
type Bar struct {
	Name string
	Is   float64
}

// Line is a series. Both slices are as long. Where Is is not a number there is a gap.
type Line struct {
	Name   string
	At, Is []float64
}

// Tick is a word at a place of the horizontal axis.
type Tick struct {
	At   float64
	Text string
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

// Draw puts two charts side by side.
func Draw(charts []Chart) string {
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

// drawBars draws them one below the other, with their values beside them.
func (c Chart) drawBars(out *strings.Builder) {
	const name, value = 84, 60 // what these take
	longest := 0.0
	for _, b := range c.Bars {
		longest = max(longest, b.Is)
	}
	step := float64(height-top-10) / float64(len(c.Bars))
	for n, b := range c.Bars {
		y, length := top+float64(n)*step, 0.0
		if longest > 0 {
			length = b.Is / longest * (width - name - value)
		}
		fmt.Fprintf(out, `<text x="%d" y="%.1f" text-anchor="end">%s</text>`+"\n", name-6, y+step/2+4, html.EscapeString(b.Name))
		fmt.Fprintf(out, `<rect x="%d" y="%.1f" width="%.1f" height="%.1f" fill="%s"/>`+"\n", name, y+step*0.15, length, step*0.7, colours[n%len(colours)])
		fmt.Fprintf(out, `<text x="%.1f" y="%.1f">%s</text>`+"\n", name+length+4, y+step/2+4, number(b.Is, c.Unit))
	}
}

func (c Chart) draw(out *strings.Builder) {
	if len(c.Bars) > 0 {
		fmt.Fprintf(out, `<text x="%d" y="16" font-weight="bold">%s</text>`+"\n", left, html.EscapeString(c.Title))
		c.drawBars(out)
		return
	}
	begin, end, highest := math.Inf(1), math.Inf(-1), 0.0
	for _, l := range c.Lines {
		for i := range l.At {
			begin, end = min(begin, l.At[i]), max(end, l.At[i])
			if l.Is[i] > highest {
				highest = l.Is[i]
			}
		}
	}
	if begin > end { // nothing is drawn
		begin, end = 0, 1
	}
	highest = ceiling(highest)
	span := max(end-begin, 1)
	x := func(at float64) float64 { return left + (at-begin)/span*plotWidth }
	y := func(is float64) float64 { return top + (1-is/highest)*plotHeight }

	fmt.Fprintf(out, `<text x="%d" y="16" font-weight="bold">%s</text>`+"\n", left, html.EscapeString(c.Title))
	for i := range ticks + 1 {
		v := highest * float64(i) / ticks
		fmt.Fprintf(out, `<path d="M%d %.1fh%d" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end">%s</text>`+"\n",
			left, y(v), plotWidth, left-4, y(v)+4, number(v, c.Unit))
	}
	below := c.Ticks
	for i := 0; c.Ticks == nil && i <= ticks; i++ {
		at := span * float64(i) / ticks
		below = append(below, Tick{begin + at, fmt.Sprintf("%.0f s", at)})
	}
	for _, t := range below {
		fmt.Fprintf(out, `<text x="%.1f" y="%d" text-anchor="middle">%s</text>`+"\n", x(t.At), top+plotHeight+14, html.EscapeString(t.Text))
	}
	for _, m := range c.Marks {
		fmt.Fprintf(out, `<path d="M%.1f %dv%d" stroke="#888" stroke-dasharray="3 3"><title>%s</title></path>`+"\n", x(m.At), top, plotHeight, html.EscapeString(m.Text))
	}
	for n, l := range c.Lines {
		colour := colours[n%len(colours)]
		var path strings.Builder
		step := 'M'
		for i := range l.At {
			if math.IsNaN(l.Is[i]) {
				step = 'M'
				continue
			}
			fmt.Fprintf(&path, "%c%.1f %.1f", step, x(l.At[i]), y(l.Is[i]))
			step = 'L'
		}
		fmt.Fprintf(out, `<path d="%s" fill="none" stroke="%s" stroke-width="1.5"/>`+"\n", path.String(), colour)
		fmt.Fprintf(out, `<text x="%d" y="%d" fill="%s">%s</text>`+"\n", left+n%legendColumns*(plotWidth/legendColumns),
			top+plotHeight+30+n/legendColumns*legendLine, colour, html.EscapeString(l.Name))
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
	case "bytes":
		return fmt.Sprintf("%.4g MB", v/1e6)
	}
	return fmt.Sprintf("%.4g", v)
}
