package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"example.com/orderflow/pkg/messages"
	"example.com/orderflow/pkg/outbox"
	"example.com/orderflow/pkg/postgres"
	"example.com/orderflow/pkg/unit"
)

// work is inventory's unit of work: the current state of the reservations and the stock that some messages, requests or answers
// of the supplier are about, and what will be written and sent.
type work struct {
	*warehouse
	reservations unit.Rows[string, reservation]   // by order id
	products     unit.Rows[string, product]       // by SKU; their units are in shelf
	movements    unit.Rows[string, movement]      // by movement.key
	supplies     unit.Rows[string, supplierOrder] // by id

	shelf  shelf
	stored map[string]stock // the shelf as it was loaded
	locks  locks

	freed   map[string]outbox.Origin // SKUs with units or places in a queue that have become free, and the latest cause of it
	dropped map[string]outbox.Origin // SKUs that an operator has set to be never reordered, and the cause of it
	wanted  []messages.Line          // to be ordered from the supplier
	shelved []shelved
	letters []outbox.Letter
	at      time.Time // time of everything that is written
}

// locks says which products a unit of work locks, besides those of its reservations.
type locks struct {
	skus      []string            // these products
	wishes    map[string][]string // by order: the SKUs that it asks for; the same unit of work may release it
	freeing   []string            // these products, and all products of the orders that wait for one of them
	releasing []string            // order ids: the products of their reservations, and all products of the orders that wait for one of those
	dropping  []string            // these products, all products of the orders that wait for one of them, and all products of the orders that wait for one of those
}

// queues reports whether waiting orders may be served or rejected.
func (l locks) queues() bool {
	return len(l.freeing) > 0 || len(l.releasing) > 0 || len(l.dropping) > 0
}

// shelved is a number of units that have arrived, to be announced.
type shelved struct {
	units  messages.Line
	origin outbox.Origin
}

func (w *warehouse) work() *work {
	return &work{warehouse: w, locks: locks{wishes: map[string][]string{}}, freed: map[string]outbox.Origin{}, dropped: map[string]outbox.Origin{}, at: w.now()}
}

// About names what a message is about. Invalid SKUs are left out: there is no such product.
func (w *work) About(m messages.Message) {
	w.reservations.Name(m.Subject())
	switch m := m.(type) {
	case messages.ReserveStock:
		for _, l := range m.Lines {
			if skuFormat.MatchString(l.SKU) {
				w.locks.skus = append(w.locks.skus, l.SKU)
				w.locks.wishes[m.OrderID] = append(w.locks.wishes[m.OrderID], l.SKU)
			}
		}
	case messages.ReleaseStock:
		w.locks.releasing = append(w.locks.releasing, m.OrderID)
	}
}

var errQueueGrew = errors.New("somebody has begun to wait")

// Load implements unit.Work. It takes one round trip, and one more each time that a queue has grown meanwhile. Which orders
// wait is only certain once the products are locked. If more products are needed then, Load releases the locks (by a savepoint)
// and takes all of them again in the order that store.go describes. It repeats this until no queue has grown, or the time of
// the transaction is up.
func (w *work) Load(ctx context.Context, tx *postgres.Tx) error {
	l := &w.locks
	for _, id := range l.releasing {
		l.freeing = append(l.freeing, l.wishes[id]...)
	}
	lockOrders(tx, w.reservations.Named())
	if !l.queues() {
		for {
			w.load(tx)
			if err := tx.Flush(ctx); err != nil || !w.torn() {
				return err
			}
		}
	}
	for {
		err := tx.Try(ctx, func() error {
			w.load(tx)
			grew := false
			readQueued(tx, *l, func(sku string) { grew = grew || w.shelf[sku] == nil })
			if err := tx.Flush(ctx); err != nil {
				return err
			}
			if grew || w.torn() {
				return errQueueGrew
			}
			return nil
		})
		if !errors.Is(err, errQueueGrew) {
			return err
		}
	}
}

// torn reports whether a product was added after the products were locked and before they were read.
func (w *work) torn() bool {
	return slices.ContainsFunc(w.products.Named(), func(sku string) bool {
		_, known := w.products.Get(sku)
		return known && w.shelf[sku] == nil
	})
}

// load queues the statements that lock the products and then read everything. Reservations must not be read before the locks: a
// transaction that has locked their products may serve them.
func (w *work) load(tx *postgres.Tx) {
	w.shelf, w.stored = shelf{}, map[string]stock{}
	row := func(s *stock) { w.shelf[s.SKU], w.stored[s.SKU] = s, *s }
	l, orders := w.locks, w.reservations.Named()
	skus := slices.Concat(l.skus, l.freeing, l.dropping, w.products.Named())
	if l.queues() {
		lockQueues(tx, l, skus, orders, row)
	} else {
		lockStock(tx, skus, orders, row)
	}
	loadReservations(tx, &w.reservations)
	loadProducts(tx, &w.products)
	loadMovements(tx, &w.movements)
	loadSupplierOrders(tx, &w.supplies)
}

// Save implements unit.Work.
//
// It serves the waiting orders once for the whole batch, at its end. Units that one decision frees are on the shelf for the
// next decisions, but are kept for waiting orders (stock.kept). A later decision therefore gets what it would have got just
// before, and more only if enough is left for all that wait. The property test plays such batches: after each, no order waits
// for units that are on the shelf, and none waits longer than promised (docs/adr/0033). The database is asked only if the shelf
// shows that an order waits for the units that have become free.
func (w *work) Save(ctx context.Context, tx *postgres.Tx) error {
	saveProducts(tx, &w.products)
	saveReservations(tx, &w.reservations, w.at)
	if err := w.turnAway(ctx, tx); err != nil {
		return err
	}
	if err := w.serve(ctx, tx); err != nil {
		return err
	}
	w.restock(w.shelf)
	for _, n := range w.shelved {
		event := messages.StockReplenished{SKU: n.units.SKU, Quantity: n.units.Quantity, Available: w.shelf[n.units.SKU].free()}
		w.letters = append(w.letters, outbox.Letter{Message: event, Origin: n.origin})
	}
	saveStock(tx, w.shelf, w.stored)
	insertMovements(tx, &w.movements)
	saveSupplierOrders(tx, &w.supplies)
	if err := w.supply(tx); err != nil {
		return err
	}
	return w.outbox.Send(tx, w.letters...)
}

// turnAway rejects the orders that wait for more units of a product than will ever come, since it is not reordered any more.
func (w *work) turnAway(ctx context.Context, tx *postgres.Tx) error {
	queues := map[string][]reservation{}
	for sku := range w.dropped {
		if !w.shelf[sku].comes(0) {
			queues[sku] = nil
			readWaiting(tx, sku, func(r reservation) { queues[sku] = append(queues[sku], r) })
		}
	}
	if len(queues) == 0 {
		return nil
	}
	if err := tx.Flush(ctx); err != nil {
		return err
	}
	gone := map[string]bool{}
	for _, sku := range slices.Sorted(maps.Keys(queues)) {
		queue := slices.DeleteFunc(queues[sku], func(r reservation) bool { return gone[r.OrderID] })
		turned := w.shelf.turnAway(sku, queue)
		updateReservations(tx, turned, w.at)
		for _, r := range turned {
			gone[r.OrderID] = true
			w.free(w.dropped[sku], r.Lines)
			w.letters = append(w.letters, outbox.Letters(w.dropped[sku], r.answer())...)
		}
	}
	return nil
}

// serve gives units that have become free to the orders that wait for them.
func (w *work) serve(ctx context.Context, tx *postgres.Tx) error {
	free := shelf{}
	for sku := range w.freed {
		free[sku] = w.shelf[sku]
	}
	available := free.contended()
	if len(available) == 0 {
		return nil
	}
	var queue []waiting
	readQueues(tx, available, func(next waiting) { queue = append(queue, next) })
	if err := tx.Flush(ctx); err != nil {
		return err
	}
	served := w.shelf.serve(queue)
	updateReservations(tx, served, w.at)
	for _, r := range served {
		i := slices.IndexFunc(r.Lines, func(l messages.Line) bool { _, ok := w.freed[l.SKU]; return ok })
		w.letters = append(w.letters, outbox.Letters(w.freed[r.Lines[i].SKU], r.answer())...)
	}
	return nil
}

// supply records what to order from the supplier. New orders are leased to this replica's own worker, as far as it has free
// slots: it starts with them at the commit. It finds the others in the table.
func (w *work) supply(tx *postgres.Tx) error {
	if len(w.wanted) == 0 {
		return nil
	}
	orders := make([]supplierOrder, len(w.wanted))
	for i, l := range w.wanted {
		id, err := uuid.NewV7()
		if err != nil {
			return fmt.Errorf("supplier order id: %w", err)
		}
		orders[i] = supplierOrder{ID: id.String(), SKU: l.SKU, Quantity: l.Quantity, Status: requested, DueAt: w.at, CreatedAt: w.at, UpdatedAt: w.at}
	}
	w.worker.Lend(tx, len(orders), func(i int) supplierOrder {
		orders[i].Attempts, orders[i].DueAt = 1, w.at.Add(lease)
		return orders[i]
	})
	insertSupplierOrders(tx, orders)
	return nil
}

// send sends messages. Their cause is taken from ctx.
func (w *work) send(ctx context.Context, msgs ...messages.Message) {
	w.letters = append(w.letters, outbox.Letters(outbox.OriginOf(ctx), msgs...)...)
}

// free notes that the queues for the products of some lines must be served.
func (w *work) free(origin outbox.Origin, lines []messages.Line) {
	for _, l := range lines {
		w.freed[l.SKU] = origin
	}
}

// enter adds a movement to the ledger.
func (w *work) enter(m movement) {
	m.At = w.at
	w.movements.Put(m.key(), m)
}

// shelve puts new units on the shelf, and announces them.
func (w *work) shelve(ctx context.Context, m movement) {
	units, origin := messages.Line{SKU: m.SKU, Quantity: m.Quantity}, outbox.OriginOf(ctx)
	w.enter(m)
	w.shelf[m.SKU].shelve(m.Quantity)
	w.free(origin, []messages.Line{units})
	w.shelved = append(w.shelved, shelved{units, origin})
	w.restock(w.shelf.of([]messages.Line{units}))
}

// restock notes what to order from the supplier. Each decision does this for its own products, because the next decision
// depends on what is on order. All units of a product become one supplier order, up to supplyMost units.
func (w *work) restock(s shelf) {
	for _, l := range s.restock() {
		i := slices.IndexFunc(w.wanted, func(o messages.Line) bool { return o.SKU == l.SKU && o.Quantity+l.Quantity <= supplyMost })
		if i < 0 {
			w.wanted = append(w.wanted, l)
			continue
		}
		w.wanted[i].Quantity += l.Quantity
	}
}
