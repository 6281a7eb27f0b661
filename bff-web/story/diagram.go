package story

import (
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"example.com/orderflow/bff-web/internal/upstream"
)

// Diagram is the sequence diagram of a story, laid out for an SVG. Lengths are in its units, of which a character has about
// 6.2 in width.
type Diagram struct {
	Width, Height int
	Lanes         []lane
	Rows          []row
	Foot          int // where the names of the lanes are repeated; 0: the diagram is short
}

type lane struct {
	Name string
	X    int
}

// row is one step in the diagram.
type row struct {
	Step
	N      int // of the step
	Y      int
	After  string // since the order was placed, such as +12 ms
	Pause  string // before it, if nothing happened for a while
	PauseY int
	Arrows []arrow // to each receiver; none for a step within a program
	X      int     // middle of the label
	Box    *box    // of a step within a program
}

type box struct{ X, Y, Width, Height int }

type arrow struct{ X1, X2, Back int } // Back leads from the point to the base of its head

// standing are the lanes that each diagram has. Programs that send or receive something else come after them.
var standing = []string{"gateway", upstream.Self, "orders", "inventory", "payments", "provider", "shipping", "carrier"}

const (
	gutter    = 76
	laneWidth = 122
	headRoom  = 40
	rowHeight = 34
	noteRoom  = 15
	pauseRoom = 22
	footAfter = 600
	character = 6.2
)

// pauseFrom is how long nothing has to happen until the diagram says so.
const pauseFrom = time.Second

// Draw lays out the steps of an order that was placed at the time begun.
func Draw(steps []Step, begun time.Time) Diagram {
	names := slices.Clone(standing)
	for _, s := range steps {
		for _, program := range append([]string{s.From}, s.To...) {
			if !slices.Contains(names, program) {
				names = append(names, program)
			}
		}
	}
	d := Diagram{Width: gutter + laneWidth*len(names)}
	for i, n := range names {
		d.Lanes = append(d.Lanes, lane{n, gutter + laneWidth*i + laneWidth/2})
	}
	at := func(program string) int { return d.Lanes[slices.Index(names, program)].X }
	y := headRoom
	for i, s := range steps {
		r := row{Step: s, N: i + 1, After: since(begun, s.At)}
		if i > 0 && s.At.Sub(steps[i-1].At) >= pauseFrom {
			y += pauseRoom
			r.Pause, r.PauseY = rounded(s.At.Sub(steps[i-1].At)).String(), y
		}
		y += rowHeight
		r.Y = y
		if s.Note != "" {
			y += noteRoom
		}
		r.place(d.Width, at)
		d.Rows = append(d.Rows, r)
	}
	d.Height = y + rowHeight
	if d.Height > footAfter {
		d.Foot = d.Height
		d.Height += headRoom / 2
	}
	return d
}

// place computes the arrows and the place of the label.
func (r *row) place(width int, at func(string) int) {
	from := at(r.From)
	if slices.Equal(r.To, []string{r.From}) {
		text := max(utf8.RuneCountInString(r.Label), utf8.RuneCountInString(r.Note))
		b := box{Width: int(float64(text)*character) + 20, Y: r.Y - 14, Height: 21}
		if r.Note != "" {
			b.Height += noteRoom
		}
		b.X = max(gutter, min(from-b.Width/2, width-b.Width))
		r.X, r.Box = b.X+b.Width/2, &b
		return
	}
	nearest := 0
	for _, program := range r.To {
		to, base := at(program), -8
		if to < from {
			base = 8
		}
		r.Arrows = append(r.Arrows, arrow{from, to, base})
		if middle := (from + to) / 2; nearest == 0 || abs(middle-from) < abs(nearest-from) {
			nearest = middle
		}
	}
	r.X = nearest
}

func abs(n int) int { return max(n, -n) }

// since returns how long after the beginning something happened, as short as a reader needs it.
func since(begun, at time.Time) string {
	d := at.Sub(begun)
	switch {
	case d < 0:
		return "0 ms"
	case d < time.Second:
		return fmt.Sprintf("+%d ms", d.Milliseconds())
	case d < time.Minute:
		return fmt.Sprintf("+%.2f s", d.Seconds())
	default:
		return "+" + d.Round(time.Second).String()
	}
}
