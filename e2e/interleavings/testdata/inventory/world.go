// Package inventory is inventory with tables in memory, and an operator who adds stock.
package inventory

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"example.com/orderflow/e2e/interleavings"
	"example.com/orderflow/e2e/interleavings/testdata/standin/inbox"
	"example.com/orderflow/e2e/interleavings/testdata/standin/pgx"
	"example.com/orderflow/pkg/messages"
)

const (
	sku     = "MUG"
	onOrder = 1000 // of a supplier from whom nothing comes, so that orders may wait
)

// World is one product and the orders that want it.
type World struct {
	interleavings.Outbox
	Product      stock
	Reservations map[string]reservation
	Queue        []string       // those who wait, first come first
	Movements    map[string]int // the ledger, by reference
	ToCome       int            // units that may still be added
}

// New returns a product with units in stock, and units that may come.
func New(units, toCome int) *World {
	return &World{
		Product:      stock{SKU: sku, Available: units, OnOrder: onOrder},
		Reservations: map[string]reservation{},
		Movements:    map[string]int{"initial": units},
		ToCome:       toCome,
	}
}

// warehouse is what the handlers need of the real one.
type warehouse struct{ now func() time.Time }

func (w *warehouse) late(context.Context, messages.Message, status) {}

func newWarehouse() *warehouse { return &warehouse{func() time.Time { return interleavings.Now }} }

func (w *World) Hears() []string { return inbox.Kinds(newWarehouse().handlers()) }

func (w *World) Receive(m messages.Message) error {
	return inbox.Handle(newWarehouse().handlers(), w, m)
}

// Moves are the operator's: see postStock.
func (w *World) Moves() []interleavings.Move {
	if w.ToCome == 0 {
		return nil
	}
	return []interleavings.Move{{Help: true, Do: func() (string, error) {
		w.ToCome--
		ctx := context.Background()
		s, err := lockStock(ctx, w, []string{sku})
		if err != nil {
			return "", err
		}
		m := movement{What: "replenished", Reference: fmt.Sprintf("added %d", w.ToCome)}
		return "is given a unit", newWarehouse().shelve(ctx, w, s, m, messages.Line{SKU: sku, Quantity: 1})
	}}}
}

// Tell compares the product with the reservations and with the ledger, too.
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

// What follows stands for store.go and its siblings. Statements in a batch are run when it is written.

func readReservation(_ context.Context, tx pgx.Tx, id string) (reservation, error) {
	r, known := tx.(*World).Reservations[id]
	if !known {
		r = reservation{OrderID: id}
	}
	return r, nil
}

func lockStock(_ context.Context, tx pgx.Tx, skus []string) (shelf, error) {
	s := shelf{}
	if slices.Contains(skus, sku) {
		product := tx.(*World).Product
		s[sku] = &product
	}
	return s, nil
}

func saveStock(b *pgx.Batch, s shelf) {
	if s[sku] == nil {
		return
	}
	product := *s[sku]
	b.Queue(func(tx pgx.Tx) error {
		if product.Available < 0 || product.Reserved < 0 || product.Backordered < 0 {
			return fmt.Errorf("the table refuses %+v", product) // its CHECKs
		}
		tx.(*World).Product = product
		return nil
	})
}

func insertReservation(b *pgx.Batch, r reservation, _ time.Time) {
	b.Queue(func(tx pgx.Tx) error {
		w := tx.(*World)
		if _, exists := w.Reservations[r.OrderID]; exists {
			return errors.New("the table refuses a second reservation")
		}
		w.Reservations[r.OrderID] = r
		if r.Status == backordered {
			w.Queue = append(w.Queue, r.OrderID)
		}
		return nil
	})
}

func updateReservations(b *pgx.Batch, to status, _ time.Time, ids ...string) {
	b.Queue(func(tx pgx.Tx) error {
		w := tx.(*World)
		for _, id := range ids {
			r := w.Reservations[id]
			r.Status = to
			w.Reservations[id] = r
			w.Queue = slices.DeleteFunc(w.Queue, func(other string) bool { return other == id })
		}
		return nil
	})
}

func enterMovement(b *pgx.Batch, m movement, _ time.Time, lines ...messages.Line) {
	b.Queue(func(tx pgx.Tx) error {
		w := tx.(*World)
		if _, exists := w.Movements[m.Reference]; exists {
			return errors.New("the ledger refuses to enter it twice")
		}
		for _, l := range lines {
			w.Movements[m.Reference] = l.Quantity
			if m.What == "taken" {
				w.Movements[m.Reference] = -l.Quantity
			}
		}
		return nil
	})
}

// readQueues returns all who wait, where the statement leaves out those who cannot be served: they make no difference.
func readQueues(_ context.Context, tx pgx.Tx, _ []messages.Line) (queue []waiting, err error) {
	w := tx.(*World)
	ahead := 0
	for _, id := range w.Queue {
		for _, l := range w.Reservations[id].Lines {
			queue = append(queue, waiting{OrderID: id, Lines: []claim{{Line: l, Ahead: ahead}}})
			ahead += l.Quantity
		}
	}
	return queue, nil
}

func insertSupplierOrders(_ *pgx.Batch, wanted []messages.Line, _ time.Time) error {
	if len(wanted) > 0 {
		return errors.New("this product is never reordered")
	}
	return nil
}

func write(_ context.Context, tx pgx.Tx, b *pgx.Batch) error { return b.Run(tx) }
