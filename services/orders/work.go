package main

import (
	"context"
	"maps"
	"reflect"
	"slices"
	"time"

	"example.com/orderflow/pkg/messages"
	"example.com/orderflow/pkg/outbox"
	"example.com/orderflow/pkg/postgres"
	"example.com/orderflow/pkg/unit"
)

// work is orders' unit of work: the current state of the orders that some messages, requests or deadlines are about, and what
// will be written and sent.
type work struct {
	*shop
	orders   unit.Rows[string, order]
	keys     unit.Rows[string, remembered] // by idempotency key, see keyOf
	products unit.Rows[string, product]    // only read, and not locked
	stocked  bool                          // whether the catalogue has any products

	timeline  []dated
	log       []logged
	catalogue map[string]messages.ProductChanged
	letters   []outbox.Letter
	ended     []stay
}

// dated is a new entry of an order's timeline, and the message that caused it.
type dated struct {
	OrderID string
	entry
	origin outbox.Origin
}

// action is what an operator did about an order.
type action struct {
	At    time.Time `json:"at"`
	Event event     `json:"event"`
	What  string    `json:"what"`
	hand
}

// logged is a new entry of the operators' log.
type logged struct {
	OrderID string
	action
}

// stay is how long an order was in a state that it has left.
type stay struct {
	ctx  context.Context //nolint:containedctx // of the message or request that ended it, for the trace
	in   status
	took time.Duration
}

func (s *shop) work() *work {
	return &work{shop: s, catalogue: map[string]messages.ProductChanged{}}
}

// About names the order that an event is about.
func (w *work) About(m messages.Message) {
	if _, ok := m.(messages.ProductChanged); !ok {
		w.orders.Name(m.Subject())
	}
}

// Load implements unit.Work. Orders are locked; products are not.
func (w *work) Load(ctx context.Context, tx *postgres.Tx) error {
	loadOrders(tx, &w.orders)
	loadRemembered(tx, &w.keys)
	loadProducts(tx, &w.products, &w.stocked)
	return tx.Flush(ctx)
}

// Save implements unit.Work.
func (w *work) Save(_ context.Context, tx *postgres.Tx) error {
	saveOrders(tx, &w.orders)
	insertTimeline(tx, w.timeline)
	insertLog(tx, w.log)
	insertRemembered(tx, &w.keys)
	keepProducts(tx, w.catalogue)
	if len(w.ended) > 0 {
		tx.OnCommit(func() { w.measure(w.ended) })
	}
	return w.outbox.Send(tx, append(w.letters, w.announcements()...)...)
}

// announcements returns the events about the new timeline entries. The latest cause of an order's entries counts as the cause
// of its events.
func (w *work) announcements() (letters []outbox.Letter) {
	added := map[string][]dated{}
	for _, d := range w.timeline {
		added[d.OrderID] = append(added[d.OrderID], d)
	}
	for _, id := range slices.Sorted(maps.Keys(added)) {
		o, _ := w.orders.Get(id)
		var entries []entry
		for _, d := range added[id] {
			entries = append(entries, d.entry)
		}
		letters = append(letters, outbox.Letters(added[id][len(entries)-1].origin, o.announce(entries...)...)...)
	}
	return letters
}

// put saves an outcome. The cause of what it sends is taken from ctx, the trace is the order's own.
func (w *work) put(ctx context.Context, out outcome) {
	before, _ := w.orders.Get(out.order.ID)
	if out.entry == nil && len(out.send) == 0 && reflect.DeepEqual(before, out.order) {
		return // the usual case for an ignored message
	}
	w.orders.Put(out.order.ID, out.order)
	origin := out.origin(ctx)
	if out.entry != nil {
		if out.entry.Entered && before.DueAt != nil {
			w.ended = append(w.ended, stay{ctx, before.Status, out.entry.At.Sub(before.entered(w.timeouts))})
		}
		w.timeline = append(w.timeline, dated{out.order.ID, *out.entry, origin})
	}
	w.letters = append(w.letters, outbox.Letters(origin, out.send...)...)
}
