package main

import (
	"context"
	"reflect"

	"example.com/orderflow/pkg/messages"
	"example.com/orderflow/pkg/outbox"
	"example.com/orderflow/pkg/postgres"
	"example.com/orderflow/pkg/unit"
)

// work is orders' unit of work: the orders that some messages, requests or deadlines are about, as they are by now, and what
// is to be written and sent.
type work struct {
	*shop
	orders   unit.Rows[string, order]
	keys     unit.Rows[string, remembered] // by idempotency key, see keyOf
	products unit.Rows[string, product]    // only read, and not locked
	stocked  bool                          // the catalogue holds any products at all

	timeline  []dated
	catalogue map[string]messages.ProductChanged
	letters   []outbox.Letter
}

// dated is an entry of an order's timeline.
type dated struct {
	OrderID string
	entry
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

// Load is of unit.Work. Orders are locked; the catalogue is not.
func (w *work) Load(ctx context.Context, tx *postgres.Tx) error {
	loadOrders(tx, &w.orders)
	loadRemembered(tx, &w.keys)
	loadProducts(tx, &w.products, &w.stocked)
	return tx.Flush(ctx)
}

// Save is of unit.Work.
func (w *work) Save(_ context.Context, tx *postgres.Tx) error {
	saveOrders(tx, &w.orders)
	insertTimeline(tx, w.timeline)
	insertRemembered(tx, &w.keys)
	keepProducts(tx, w.catalogue)
	return w.outbox.Send(tx, w.letters...)
}

// take does what a turn says. What it sends was caused by what is being done in ctx.
func (w *work) take(ctx context.Context, t turn) {
	if before, _ := w.orders.Get(t.order.ID); t.entry == nil && len(t.send) == 0 && reflect.DeepEqual(before, t.order) {
		return // as nearly every message that is late
	}
	w.orders.Put(t.order.ID, t.order)
	if t.entry != nil {
		w.timeline = append(w.timeline, dated{t.order.ID, *t.entry})
	}
	w.letters = append(w.letters, outbox.Letters(outbox.OriginOf(ctx), t.send...)...)
}
