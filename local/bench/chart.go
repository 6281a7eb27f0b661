package bench

import (
	"cmp"
	"fmt"
	"html"
	"math"
	"slices"
	"strings"
)

// The plot is SVG: bars of the rates at the left, latency over load at the right. It has a background of its own, and
// colours for light and for dark pages, so that it can be read on both.

const (
	chartWidth, chartHeight = 900, 350

	barsLeft, barsRight   = 20, 390
	linesLeft, linesRight = 480, 750
	plotTop, plotBottom   = 70, 280
)

const chartStyle = `
	.page { fill: #ffffff } .text { fill: #1f2328 } .muted { fill: #59636e } .grid { stroke: #d1d9e0 } .axis { stroke: #818b98 }
	.ours { fill: #0969da } .other { fill: #afb8c1 }
	.accept { stroke: #0969da } .end { stroke: #bc4c00 } .accept-text { fill: #0969da } .end-text { fill: #bc4c00 }
	text { font: 13px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif } .title { font-size: 15px; font-weight: 600 }
	.line { fill: none; stroke-width: 2 } .p99 { stroke-dasharray: 6 4 }
	@media (prefers-color-scheme: dark) {
		.page { fill: #0d1117 } .text { fill: #e6edf3 } .muted { fill: #9198a1 } .grid { stroke: #30363d } .axis { stroke: #656c76 }
		.ours { fill: #4493f8 } .other { fill: #656c76 }
		.accept { stroke: #4493f8 } .end { stroke: #f0883e } .accept-text { fill: #4493f8 } .end-text { fill: #f0883e }
	}
`

// chart is the text of an SVG while it is written.
type chart struct{ strings.Builder }

func (c *chart) add(format string, args ...any) { fmt.Fprintf(c, "  "+format+"\n", args...) }

func (c *chart) text(x, y float64, class, anchor, text string) {
	c.add(`<text x="%.0f" y="%.0f" class="%s" text-anchor="%s">%s</text>`, x, y, class, anchor, html.EscapeString(text))
}

func (c *chart) line(x1, y1, x2, y2 float64, class string) {
	c.add(`<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" class="%s"/>`, x1, y1, x2, y2, class)
}

// drawChart draws the rows floor, naive and saga, as far as they were measured.
func drawChart(r Results) string {
	var c chart
	fmt.Fprintf(&c, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label="Orders a second, and latency over load">`+"\n",
		chartWidth, chartHeight, chartWidth, chartHeight)
	c.add("<style>%s  </style>", chartStyle)
	c.add(`<rect width="%d" height="%d" rx="6" class="page"/>`, chartWidth, chartHeight)
	c.bars(r)
	if saga := r.Row("saga"); saga != nil {
		c.latency(*saga)
	}
	c.WriteString("</svg>\n")
	return c.String()
}

// bars draws the rates, one bar for each row.
func (c *chart) bars(r Results) {
	c.text(barsLeft, 32, "text title", "start", "Orders a second, all cores busy")
	most := 0.0
	names := []string{"floor", "naive", "saga"}
	for _, name := range names {
		if row := r.Row(name); row != nil {
			most = max(most, row.Rate)
		}
	}
	if most == 0 {
		return
	}
	scale := niceScale(most)
	const room = 45 // for the number behind the longest bar
	x := func(rate float64) float64 { return barsLeft + rate/scale[len(scale)-1]*(barsRight-barsLeft-room) }
	for _, tick := range scale {
		c.line(x(tick), plotTop, x(tick), plotBottom, "grid")
		c.text(x(tick), plotBottom+20, "muted", "middle", fmt.Sprintf("%.0f", tick))
	}
	c.line(barsLeft, plotTop, barsLeft, plotBottom, "axis")
	c.text((barsLeft+x(scale[len(scale)-1]))/2, plotBottom+48, "muted", "middle", "orders a second, from placed to delivered")
	const height, step = 26, (plotBottom - plotTop) / 3
	for i, name := range names {
		row := r.Row(name)
		if row == nil {
			continue
		}
		class := "other"
		if name == "saga" {
			class = "ours"
		}
		y := float64(plotTop + i*step + 24)
		c.text(barsLeft+6, y+8, "text", "start", captions[name])
		c.add(`<rect x="%d" y="%.0f" width="%.1f" height="%d" class="%s"/>`, barsLeft, y+14, x(row.Rate)-barsLeft, height, class)
		c.text(x(row.Rate)+6, y+14+height/2+5, "text", "start", fmt.Sprintf("%.0f", row.Rate))
	}
}

var captions = map[string]string{
	"floor": "floor: only messages and rows, in batches",
	"naive": "naive: the same, one transaction a message",
	"saga":  "Orderflow, through the gateway",
}

// niceScale returns the ticks of an axis from 0 to a little more than most, at 1, 2 or 5 times a power of ten.
func niceScale(most float64) (ticks []float64) {
	step := math.Pow(10, math.Floor(math.Log10(most)))
	for _, finer := range []float64{5, 2.5, 2} {
		if most/step*finer >= 3 && most/step*finer <= 6 {
			step /= finer
			break
		}
	}
	for tick := 0.0; tick < most+step; tick += step {
		ticks = append(ticks, tick)
	}
	return ticks
}

// curve is one line of the latency plot.
type curve struct {
	class, name string
	of          func(Latency) float64
}

var curves = []curve{
	{"end", "delivered, p50", func(l Latency) float64 { return l.End.P50 }},
	{"end p99", "delivered, p99", func(l Latency) float64 { return l.End.P99 }},
	{"accept", "accepted, p50", func(l Latency) float64 { return l.Accept.P50 }},
	{"accept p99", "accepted, p99", func(l Latency) float64 { return l.Accept.P99 }},
}

// latency draws p50 and p99 over the load, with a logarithmic axis of milliseconds. One order at a time is drawn at load 0.
func (c *chart) latency(saga Row) {
	loads := slices.Clone(saga.Loads)
	if saga.Alone != nil {
		loads = append([]Latency{*saga.Alone}, loads...)
	}
	if len(loads) < 2 {
		return
	}
	c.text(linesLeft, 32, "text title", "start", "Latency of Orderflow over load")
	least, most := math.Inf(1), 0.0
	for _, l := range loads {
		for _, k := range curves {
			least, most = min(least, max(k.of(l), 0.1)), max(most, k.of(l))
		}
	}
	low, high := math.Floor(math.Log10(least)), math.Ceil(math.Log10(max(most, least*10)))
	const first = 45 // between one order at a time, which has no share, and the first share
	x := func(l Latency) float64 {
		if l.Share == 0 {
			return linesLeft + first/2
		}
		return linesLeft + first + l.Share*(linesRight-linesLeft-first)
	}
	y := func(ms float64) float64 {
		return plotBottom - (math.Log10(max(ms, 0.1))-low)/(high-low)*(plotBottom-plotTop)
	}
	for power := low; power <= high; power++ {
		at := y(math.Pow(10, power))
		c.line(linesLeft, at, linesRight, at, "grid")
		c.text(linesLeft-8, at+4, "muted", "end", millis(math.Pow(10, power)))
	}
	c.text(linesLeft, plotTop-14, "muted", "start", "time since the order was due, logarithmic")
	c.line(linesLeft, plotTop, linesLeft, plotBottom, "axis")
	c.line(linesLeft, plotBottom, linesRight, plotBottom, "axis")
	for _, l := range loads {
		what := "alone"
		if l.Share > 0 {
			what = fmt.Sprintf("%.0f%%", 100*l.Share)
			c.text(x(l), plotBottom+36, "muted", "middle", fmt.Sprintf("%.0f/s", l.Rate))
		}
		c.text(x(l), plotBottom+20, "muted", "middle", what)
	}
	c.text((linesLeft+linesRight)/2, plotBottom+58, "muted", "middle", "arriving orders, as a share of the rate at the left")
	c.curves(loads, x, y)
}

// curves draws the lines, with their names at the right ends, placed so that they do not overlap.
func (c *chart) curves(loads []Latency, x func(Latency) float64, y func(float64) float64) {
	type label struct {
		curve
		at float64
	}
	var labels []label
	last := loads[len(loads)-1]
	for _, k := range curves {
		points := make([]string, len(loads))
		for i, l := range loads {
			points[i] = fmt.Sprintf("%.1f,%.1f", x(l), y(k.of(l)))
		}
		c.add(`<polyline points="%s" class="line %s"/>`, strings.Join(points, " "), k.class)
		for _, l := range loads {
			c.add(`<circle cx="%.1f" cy="%.1f" r="3" class="%s-text"/>`, x(l), y(k.of(l)), strings.Fields(k.class)[0])
		}
		labels = append(labels, label{k, y(k.of(last))})
	}
	slices.SortStableFunc(labels, func(a, b label) int { return cmp.Compare(a.at, b.at) })
	const apart = 16
	for i := range labels {
		if i > 0 {
			labels[i].at = max(labels[i].at, labels[i-1].at+apart)
		}
		text := fmt.Sprintf("%s %s", labels[i].name, millis(labels[i].of(last)))
		c.text(x(last)+10, labels[i].at+4, strings.Fields(labels[i].class)[0]+"-text", "start", text)
	}
}

// millis writes a time in milliseconds as people read it.
func millis(ms float64) string {
	switch {
	case ms >= 1000:
		return strings.TrimSuffix(fmt.Sprintf("%.1f", ms/1000), ".0") + " s"
	case ms >= 10:
		return fmt.Sprintf("%.0f ms", ms)
	default:
		return strings.TrimSuffix(fmt.Sprintf("%.1f", ms), ".0") + " ms"
	}
}
