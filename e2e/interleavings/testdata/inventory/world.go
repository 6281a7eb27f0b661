// Package inventory is the service with tables in memory, and an operator who adds stock.
package inventory

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"example.com/orderflow/e2e/interleavings"
	"example.com/orderflow/e2e/interleavings/testdata/standin/inbox"
	"example.com/orderflow/e2e/interleavings/testdata/standin/outbox"
	"example.com/orderflow/e2e/interleavings/testdata/standin/postgres"
	"example.com/orderflow/e2e/interleavings/testdata/standin/unit"
	"example.com/orderflow/pkg/messages"
	"example.com/orderflow/pkg/worker"
)

const (
	sku     = "MUG"
	onOrder = 1000 // ordered from a supplier that never delivers, so that orders may wait
)

// World is one product and the orders for it.
type World struct {
	interleavings.Outbox
	Product      stock
	Reservations map[string]reservation
	Queue        []string       // ids of waiting orders, first come first served
	Movements    map[string]int // the ledger, by reference
	ToCome       int            // units that may still be added
}

// New returns a product with units in stock, and toCome units that may be added.
func New(units, toCome int) *World {
	return &World{
		Product:      stock{SKU: sku, Available: units, OnOrder: onOrder},
		Reservations: map[string]reservation{},
		Movements:    map[string]int{"initial": units},
		ToCome:       toCome,
	}
}

// warehouse is the part of the real one that the handlers need.
type warehouse struct {
	outbox *outbox.Outbox
	worker *worker.Worker[supplierOrder]
	now    func() time.Time
}

func (w *warehouse) ignored(context.Context, messages.Message, status) {}

func newWarehouse() *warehouse {
	return &warehouse{now: func() time.Time { return interleavings.Now }, worker: &worker.Worker[supplierOrder]{}}
}

func (w *World) office() *unit.Office[*work] {
	return &unit.Office[*work]{World: w, Open: newWarehouse().work}
}

func (w *World) Handles() []string { return inbox.Kinds(newWarehouse().handlers()) }

func (w *World) Receive(m messages.Message) error {
	return inbox.Handle(newWarehouse().handlers(), w.office(), m)
}

// Actions are those of the operator: see postStock.
func (w *World) Actions() []interleavings.Action {
	if w.ToCome == 0 {
		return nil
	}
	return []interleavings.Action{{Help: true, Do: func() (string, error) {
		w.ToCome--
		m := movement{What: "replenished", Reference: fmt.Sprintf("added %d", w.ToCome), SKU: sku, Quantity: 1}
		return "is given a unit", w.office().Do(context.Background(), unit.Decision[*work]{
			Name: func(u *work) { u.locks.freeing = append(u.locks.freeing, sku) },
			Make: func(u *work) error { u.shelve(context.Background(), m); return nil },
		})
	}}}
}

// Tell also compares the product with the reservations and with the ledger.
func (w *World) Tell(order string, f *interleavings.Facts) {
	f.Stock = string(w.Reservations[order].Status)
	held, wanted, all := 0, 0, 0
	for _, r := range w.Reservations {
		for _, l := range r.Lines {
			switch r.Status {
			case reserved:
				held += l.Quantity
			case backordered:
				wanted += l.Quantity
			}
		}
	}
	for _, n := range w.Movements {
		all += n
	}
	if p := w.Product; p.Reserved != held || p.Backordered != wanted || p.Available+p.Reserved != all || len(w.Queue) != wanted {
		f.Wrong = fmt.Sprintf("the stock is what came, less what left and what is held: %+v, held %d, wanted %d, in all %d", p, held, wanted, all)
	}
}

func (w *World) Void(messages.Message) bool { return false }

func (w *World) Tidy() {}

// The rest replaces store.go and the other files with SQL.

type product struct{}

func lockOrders(*postgres.Tx, []string)                                  {}
func loadProducts(*postgres.Tx, *unit.Rows[string, product])             {}
func saveProducts(*postgres.Tx, *unit.Rows[string, product])             {}
func loadMovements(*postgres.Tx, *unit.Rows[string, movement])           {}
func loadSupplierOrders(*postgres.Tx, *unit.Rows[string, supplierOrder]) {}
func saveSupplierOrders(*postgres.Tx, *unit.Rows[string, supplierOrder]) {}
func readQueued(*postgres.Tx, locks, func(string))                       {}
func readWaiting(*postgres.Tx, string, func(reservation))                {}

func lockStock(tx *postgres.Tx, _, _ []string, row func(*stock)) {
	product := tx.World.(*World).Product
	row(&product)
}

func lockQueues(tx *postgres.Tx, _ locks, _, _ []string, row func(*stock)) {
	lockStock(tx, nil, nil, row)
}

func saveStock(tx *postgres.Tx, s shelf, _ map[string]stock) {
	product := *s[sku]
	if product.Available < 0 || product.Reserved < 0 || product.Backordered < 0 {
		tx.Fail(fmt.Errorf("the table refuses %+v", product)) // by its CHECKs
	}
	tx.World.(*World).Product = product
}

func loadReservations(tx *postgres.Tx, reservations *unit.Rows[string, reservation]) {
	for _, id := range reservations.Named() {
		if r, known := tx.World.(*World).Reservations[id]; known {
			reservations.Loaded(id, r)
		}
	}
}

func saveReservations(tx *postgres.Tx, reservations *unit.Rows[string, reservation], now time.Time) {
	w := tx.World.(*World)
	added, changed := reservations.Changes()
	for _, r := range added {
		if _, exists := w.Reservations[r.OrderID]; exists {
			tx.Fail(errors.New("the table refuses a second reservation"))
		}
		w.Reservations[r.OrderID] = r
		if r.Status == backordered {
			w.Queue = append(w.Queue, r.OrderID)
		}
	}
	updateReservations(tx, changed, now)
}

func updateReservations(tx *postgres.Tx, changed []reservation, _ time.Time) {
	w := tx.World.(*World)
	for _, c := range changed {
		r := w.Reservations[c.OrderID]
		r.Status = c.Status
		w.Reservations[c.OrderID] = r
		if r.Status != backordered {
			w.Queue = slices.DeleteFunc(w.Queue, func(other string) bool { return other == c.OrderID })
		}
	}
}

func insertMovements(tx *postgres.Tx, movements *unit.Rows[string, movement]) {
	added, _ := movements.Changes()
	for _, m := range added {
		if _, exists := tx.World.(*World).Movements[m.Reference]; exists {
			tx.Fail(errors.New("the ledger refuses to enter it twice"))
		}
		tx.World.(*World).Movements[m.Reference] = m.Quantity
	}
}

// readQueues returns all waiting orders. The real statement leaves out those that cannot be served, which makes no difference.
func readQueues(tx *postgres.Tx, _ []messages.Line, row func(waiting)) {
	w := tx.World.(*World)
	ahead := 0
	for _, id := range w.Queue {
		for _, l := range w.Reservations[id].Lines {
			row(waiting{OrderID: id, Lines: []queued{{Line: l, Ahead: ahead}}})
			ahead += l.Quantity
		}
	}
}

func insertSupplierOrders(tx *postgres.Tx, orders []supplierOrder) {
	if len(orders) > 0 {
		tx.Fail(errors.New("this product is never reordered"))
	}
}
