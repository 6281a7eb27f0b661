package backstage

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"example.com/orderflow/bff-web/internal/upstream"
)

// picture is the architecture as a drawing: two exchanges as rails, and a station for each service, with its queues above it and
// what it calls below. The page has two of them: a wide one, and a tall one for phones. Both show the same frame.
type picture struct {
	part
	Class         string
	Width, Height int
	Rails         []rail
	Ways          []track
	Boxes         []block
	Stations      []station
}

// part is a thing whose values in the frame begin with its name.
type part struct {
	Frame frame
	Name  string
}

// Key returns the name of a value, Value the value, and Cell both.
func (p part) Key(of string) string   { return p.Name + "." + of }
func (p part) Value(of string) string { return p.Frame[p.Key(of)] }
func (p part) Cell(of string) cell    { return cell{p.Key(of), p.Value(of)} }

// Has reports whether the thing has such a value.
func (p part) Has(of string) bool {
	_, has := p.Frame[p.Key(of)]
	return has
}

// Part returns another thing of the same frame.
func (p part) Part(name string) part { return part{p.Frame, name} }

// Last returns the end of the name, which says what it is.
func (p part) Last() string { return p.Name[strings.LastIndexByte(p.Name, '.')+1:] }

type cell struct{ Key, Value string }

// Wider and Higher return the size with the width of a line.
func (p picture) Wider() int  { return p.Width + 2 }
func (p picture) Higher() int { return p.Height + 2 }

// rail is an exchange.
type rail struct {
	part
	X, Y, Width, Height int
	Label               string
	Upright             bool
}

// Labels returns where its name stands.
func (r rail) Labels() (at []string) {
	if !r.Upright {
		return []string{fmt.Sprintf("translate(%d %d)", r.X+14, r.Y+r.Height/2+5)}
	}
	for y := r.Y + 160; y < r.Y+r.Height; y += labelEvery {
		at = append(at, fmt.Sprintf("translate(%d %d) rotate(-90)", r.X+r.Width/2+4, y))
	}
	return at
}

// track is a way from one place to the next. The script of the page moves dots along ways with these names.
type track struct {
	Name, D, What string
	Look          string // the value of the frame that says how it looks; empty: always the same
}

// block is a program without queues, or the people who use the system.
type block struct {
	part
	X, Y, Width, Height int
	Label               string
	Program             bool
}

// station is a service.
type station struct {
	part
	X, Y    int
	Queues  []stack
	Outside outside
}

// Breaker returns the breaker for the external system, and Calls the name of the rate of calls.
func (s station) Breaker() cell {
	key := s.Name + " " + s.Outside.Name + ".breaker"
	return cell{key, s.Frame[key]}
}
func (s station) Calls() cell { return s.Part(s.Outside.Name).Cell("rate") }

// stack is a queue.
type stack struct {
	part
	X     int
	Label string
}

// outside is an external system that a service calls.
type outside struct{ Name, Label string }

// outsides are the external systems, by the service that calls them.
var outsides = map[string]outside{
	"inventory": {"supplier", "supplier"}, "payments": {"provider", "payment provider"}, "shipping": {"carrier", "carrier"},
}

// Measures of a station.
const (
	stationWidth  = 226
	stationHeight = 328
	stackBase     = 84  // y of the floor of a queue
	boxTop        = 160 // y of the box of a service
	boxHeight     = 102
	outboxX       = 182 // x of its outbox, from where messages leave
	leaveX        = 217 // x at which they go up
	labelEvery    = stationHeight + 44
)

var stackX = map[string]int{"commands": 42, "events": 128}

// ordered returns the services in the order in which an order needs them.
func ordered(services []string) []string {
	all := slices.Clone(services)
	slices.SortStableFunc(all, func(a, b string) int {
		switch {
		case a == b:
			return 0
		case a == "orders":
			return -1
		case b == "orders":
			return 1
		}
		return strings.Compare(a, b)
	})
	return all
}

func newStation(f frame, service string, x, y int) station {
	s := station{part: part{f, service}, X: x, Y: y, Outside: outsides[service]}
	for _, kind := range []string{"commands", "events"} {
		s.Queues = append(s.Queues, stack{part{f, service + "." + kind}, stackX[kind], kind})
	}
	return s
}

// inner returns the ways within a station.
func (s station) inner() []track {
	at := func(format string, points ...int) string {
		placed := make([]any, len(points))
		for i, p := range points {
			placed[i] = p + []int{s.X, s.Y}[i%2]
		}
		return fmt.Sprintf(format, placed...)
	}
	ways := []track{
		{s.Name + " " + s.Name + ".retry", at("M%d %dL%d %d", 150, boxTop, 190, 44), "hidden", ""},
		{s.Name + " " + s.Name + ".dead", at("M%d %dL%d %d", 160, boxTop, 190, 100), "hidden", ""},
	}
	for _, q := range s.Queues {
		ways = append(ways,
			track{q.Name + " " + s.Name, at("M%d %dL%d %dL%d %dL%d %d", q.X, stackBase-4, q.X, stackBase+9, q.X-34, stackBase+9, q.X-34, boxTop+4), q.Label, q.Key("state")},
			track{s.Name + ".retry " + q.Name, at("M%d %dL%d %d", 190, 40, q.X, stackBase-4), "hidden", q.Key("state")},
			track{s.Name + ".dead " + q.Name, at("M%d %dL%d %d", 190, 96, q.X, stackBase-4), "hidden", q.Key("state")},
		)
	}
	if o := s.Outside; o.Name != "" {
		ways = append(ways, track{s.Name + " " + o.Name, at("M%d %dL%d %d", 60, boxTop+boxHeight, 60, boxTop+boxHeight+34), "call", s.Breaker().Key})
	}
	return ways
}

// newWide returns the picture for a wide window: the rails lie above the stations.
func newWide(f frame, services []string) picture {
	const left, top, pitch = 208, 98, stationWidth + 4
	width := left + pitch*len(services) - 4
	commands := rail{part{f, "commands"}, 0, 8, width, 28, "commands", false}
	events := rail{part{f, "events"}, 0, 48, width, 28, "events", false}
	p := picture{part: part{f, ""}, Class: "wide", Width: width, Height: top + stationHeight, Rails: []rail{commands, events}}
	yc, ye := 22, 62
	gate := top + boxTop
	p.Boxes = []block{
		{part{f, upstream.Self}, 0, 118, 168, 74, "bff-web", true},
		{part{f, "gateway"}, 0, gate, 168, 78, "gateway", true},
		{part{f, "browser"}, 0, gate + 114, 168, 40, "browsers, curl", false},
	}
	p.Ways = []track{
		{"events " + upstream.Self, fmt.Sprintf("M24 %dV118", ye), "event", ""},
		{"browser gateway", fmt.Sprintf("M84 %dV%d", gate+114, gate+78), "call", ""},
		{"gateway " + upstream.Self, fmt.Sprintf("M84 %dV192", gate), "call", "gateway " + upstream.Self + ".breaker"},
		{"gateway orders", fmt.Sprintf("M168 %dH%d", gate+38, left), "call", "gateway orders.breaker"},
	}
	for i, service := range ordered(services) {
		s := newStation(f, service, left+i*pitch, top)
		p.Stations = append(p.Stations, s)
		p.Ways = append(p.Ways, s.inner()...)
		for _, q := range s.Queues {
			y := map[string]int{"commands": yc, "events": ye}[q.Label]
			p.Ways = append(p.Ways, track{q.Label + " " + q.Name, fmt.Sprintf("M%d %dV%d", s.X+q.X, y, top+stackBase-4), q.Label, q.Key("state")})
		}
		leave := fmt.Sprintf("M%d %dH%dV", s.X+outboxX, top+boxTop+48, s.X+leaveX)
		p.Ways = append(p.Ways, track{service + " events", leave + fmt.Sprint(ye), "event", ""})
		if service == "orders" {
			p.Ways = append(p.Ways, track{service + " commands", leave + fmt.Sprint(yc), "command", ""})
		}
	}
	return p
}

// newTall returns the picture for a phone: the rails stand beside the stations.
func newTall(f frame, services []string) picture {
	const width, left, top, pitch, xc, xe = 350, 112, 142, labelEvery, 14, 46
	height := top + pitch*len(services) - 44
	p := picture{
		part: part{f, ""}, Class: "tall", Width: width, Height: height,
		Rails: []rail{{part{f, "commands"}, 0, 88, 28, height - 88, "commands", true}, {part{f, "events"}, 32, 88, 28, height - 88, "events", true}},
		Boxes: []block{
			{part{f, "browser"}, 0, 16, 92, 40, "clients", false},
			{part{f, "gateway"}, 106, 0, 116, 72, "gateway", true},
			{part{f, upstream.Self}, 234, 0, 116, 72, "bff-web", true},
		},
		Ways: []track{
			{"browser gateway", "M92 36H106", "call", ""},
			{"gateway " + upstream.Self, "M222 36H234", "call", "gateway " + upstream.Self + ".breaker"},
			{"gateway orders", fmt.Sprintf("M164 72V80H86V%dH%d", top+boxTop+48, left), "call", "gateway orders.breaker"},
			{"events " + upstream.Self, fmt.Sprintf("M%d 96H300V72", xe), "event", ""},
		},
	}
	for i, service := range ordered(services) {
		s := newStation(f, service, left, top+i*pitch)
		p.Stations = append(p.Stations, s)
		p.Ways = append(p.Ways, s.inner()...)
		for _, q := range s.Queues {
			x, y := map[string]int{"commands": xc, "events": xe}[q.Label], map[string]int{"commands": 8, "events": 18}[q.Label]
			p.Ways = append(p.Ways, track{q.Label + " " + q.Name, fmt.Sprintf("M%d %dH%dV%d", x, s.Y-y, s.X+q.X, s.Y+stackBase-4), q.Label, q.Key("state")})
		}
		leave := fmt.Sprintf("M%d %dH%dV%dH", s.X+outboxX, s.Y+boxTop+48, s.X+leaveX, s.Y-28)
		p.Ways = append(p.Ways, track{service + " events", leave + fmt.Sprint(xe), "event", ""})
		if service == "orders" {
			p.Ways = append(p.Ways, track{service + " commands", leave + fmt.Sprint(xc), "command", ""})
		}
	}
	return p
}

// Shapes are drawn as dashed lines of one path: a dash of no length with a round or square end is a dot.

const (
	dot          = 8   // px from one message of a pile to the next
	layer        = 7.0 // px from one layer of a pile to the next
	queueBase    = 10  // messages in the lowest layer of the largest pile of a queue
	outboxBase   = 6
	sideBase     = 4
	replicasMost = 8
	replicaPitch = 15
	countTo      = 1_000_000 // where a pile stops to grow
)

// heap returns a pile of n messages, which stands on (0, 0) and has at most most messages in its lowest layer. While there is
// room, each message has its dot; a larger pile grows ever more slowly, up to countTo.
func heap(n, most int) string {
	exact := oneByOne(most)
	if n > exact {
		room := float64(most*(most+1)/2 - exact)
		n = exact + int(math.Ceil(room*math.Log(float64(n)/float64(exact))/math.Log(countTo/float64(exact))))
		n = min(n, most*(most+1)/2)
	}
	var d strings.Builder
	base := int(math.Ceil((math.Sqrt(float64(8*n+1)) - 1) / 2))
	for i := 0; n > 0; i++ {
		full := base - i
		fmt.Fprintf(&d, "M%d %.1fh%s", -(full-1)*dot/2, -layer*float64(i)-layer/2, length(min(n, full), dot))
		n -= full
	}
	return d.String()
}

// oneByOne returns up to which number each message of a pile has its dot.
func oneByOne(most int) int { return most * (most + 1) * 3 / 8 }

// squares returns n replicas, after as many places as are taken.
func squares(taken, n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("M%d 0h%s", taken*replicaPitch, length(n, replicaPitch))
}

// length returns the length of a line with n dots. A line without any length is not drawn.
func length(n, pitch int) string {
	if n == 1 {
		return ".1"
	}
	return fmt.Sprint((n - 1) * pitch)
}
