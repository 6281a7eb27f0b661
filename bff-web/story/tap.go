package story

import (
	"context"
	"slices"
	"sync"
	"time"

	"example.com/orderflow/bff-web/internal/interest"
	"example.com/orderflow/bff-web/internal/visitor"
	"example.com/orderflow/pkg/bus"
	"example.com/orderflow/pkg/messages"
	"github.com/labstack/echo/v4"
)

// What is kept of the messages that have passed. The oldest orders are forgotten first.
const (
	heardOrders   = 2000
	heardPassages = 200     // of an order; more are only counted
	heardBytes    = 4 << 10 // of a body; the rest is cut off
	heardMost     = 32 << 20
)

// Taps is the wire tap of this process. It keeps what has passed lately, by order, for the pages that show it
// (docs/adr/0044).
type Taps struct {
	interest.Interest
	ShowAll bool // to shoppers, too

	mu       sync.Mutex
	since    time.Time // when the messages began to come; zero: they do not
	heard    map[string]*heard
	oldest   []string // the orders in heard, in the order in which they came
	size     int      // bytes in heard, roughly
	watchers map[*func([]bus.Passage)]struct{}
}

// heard are the messages of an order that have passed while somebody looked.
type heard struct {
	passages []bus.Passage
	more     int // that have passed and are not kept
	size     int
}

// NewTaps hears nothing yet.
func NewTaps() *Taps {
	t := &Taps{heard: map[string]*heard{}, watchers: map[*func([]bus.Passage)]struct{}{}}
	t.Interest = interest.NewInterest(t.watched)
	return t
}

// Listen starts the tap for a visitor who is about to see messages, and reports whether they see any.
func (t *Taps) Listen(c echo.Context) bool {
	who := visitor.Of(c)
	if who == nil || !who.Operator() && !t.ShowAll {
		return false
	}
	t.Attend(c.Request().Context())
	return true
}

// Attend starts the tap, and waits a moment until it has started.
func (t *Taps) Attend(ctx context.Context) { t.Show(ctx, func() {}) }

// Watch gives everything that passes to pass, which must not wait for anything, until leave is called.
func (t *Taps) Watch(pass func([]bus.Passage)) (leave func()) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.watchers[&pass] = struct{}{}
	return func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.watchers, &pass)
	}
}

func (t *Taps) watched() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.watchers) > 0
}

// Joined is called when the messages begin to come or stop.
func (t *Taps) Joined(now bool) {
	t.mu.Lock()
	if t.since = time.Now(); !now {
		t.since = time.Time{}
	}
	t.mu.Unlock()
	t.Came(now)
}

// Pass takes what has passed. It never blocks.
func (t *Taps) Pass(passed []bus.Passage) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, p := range passed {
		if order := orderOf(p); order != "" {
			t.keep(order, p)
		}
	}
	for len(t.oldest) > heardOrders || t.size > heardMost {
		t.size -= t.heard[t.oldest[0]].size
		delete(t.heard, t.oldest[0])
		t.oldest = slices.Delete(t.oldest, 0, 1)
	}
	for pass := range t.watchers {
		(*pass)(passed)
	}
}

func (t *Taps) keep(order string, p bus.Passage) {
	h := t.heard[order]
	if h == nil {
		h = &heard{}
		t.heard[order] = h
		t.oldest = append(t.oldest, order)
	}
	if len(h.passages) == heardPassages {
		h.more++
		return
	}
	if len(p.Body) > heardBytes {
		p.Body = append(slices.Clone(p.Body[:heardBytes]), "…"...)
	}
	const envelope = 1000 // bytes, about
	h.passages = append(h.passages, p)
	h.size += len(p.Body) + envelope
	t.size += len(p.Body) + envelope
}

// orderOf returns the order that a message is about; empty: it is about a product.
func orderOf(p bus.Passage) string {
	if p.Kind == (messages.ProductChanged{}).Kind() || p.Kind == (messages.StockReplenished{}).Kind() {
		return ""
	}
	return p.Subject
}

// Of returns what has passed of an order. since is when the messages began to come; what passed before may be missing. Zero:
// none come now.
func (t *Taps) Of(order string) (passages []bus.Passage, more int, since time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	since = t.since
	if h := t.heard[order]; h != nil {
		passages, more = slices.Clone(h.passages), h.more
	}
	return passages, more, since
}
