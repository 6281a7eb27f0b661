package main

import (
	"context"
	"errors"
	"time"

	"example.com/orderflow/pkg/messages"
	"example.com/orderflow/pkg/worker"
	"github.com/jackc/pgx/v5"
)

const (
	supplierSlots  = 4
	supplierWithin = 25 * time.Second // two calls and what comes of them
	supplierLease  = 40 * time.Second

	retryFirst = time.Second // after a failure
	retryMost  = time.Minute
	askFirst   = 250 * time.Millisecond // about what is on its way
	askMost    = time.Minute
)

// replenishment is the worker that places supplier orders and sees to it that they arrive. The transactions that found out
// that stock runs low have only recorded them.
func (w *warehouse) replenishment() *worker.Worker[supplierOrder] {
	return &worker.Worker[supplierOrder]{
		Name: "replenishment", Log: w.log, Slots: supplierSlots, Within: supplierWithin,
		Claim: func(ctx context.Context, limit int) ([]supplierOrder, error) {
			return claimSupplierOrders(ctx, w.db, limit, supplierLease)
		},
		Do: w.replenish,
	}
}

// replenish takes one supplier order a step further. It asks before it orders: whoever had the order before may have placed
// it and then died, or never heard the answer.
func (w *warehouse) replenish(ctx context.Context, o supplierOrder) error {
	d, known, err := w.supplier.find(ctx, o.ID)
	w.meters.called(ctx, "find", err)
	if err == nil && !known {
		d, err = w.supplier.order(ctx, o.ID, o.SKU, o.Quantity)
		w.meters.called(ctx, "order", err)
	}
	switch {
	case err != nil:
		again := worker.Backoff(o.Attempts, retryFirst, retryMost)
		return errors.Join(err, w.db.Tx(ctx, func(tx pgx.Tx) error { return postponeSupplierOrder(ctx, tx, o.ID, again, err) }))
	case d.arrived:
		return w.arrive(ctx, o)
	default:
		return w.db.Tx(ctx, func(tx pgx.Tx) error { return awaitSupplierOrder(ctx, tx, o.ID, askIn(d.expects, w.now()), w.now()) })
	}
}

// askIn is when to ask about an order that is expected at a time: then, at the latest after askMost, for it may come
// sooner; once it is overdue, ever less often.
func askIn(expected, now time.Time) time.Duration {
	in := expected.Sub(now)
	if in < 0 {
		in = -(in / 2) // halved first: of a time that is not known, it is as negative as can be
	}
	return min(max(in, askFirst), askMost)
}

// arrive puts what the supplier has delivered on the shelf, once.
func (w *warehouse) arrive(ctx context.Context, o supplierOrder) error {
	return w.db.Tx(ctx, func(tx pgx.Tx) error {
		if err := lockQueues(ctx, tx, []string{o.SKU}); err != nil {
			return err
		}
		first, err := finishSupplierOrder(ctx, tx, o.ID, w.now())
		if err != nil || !first {
			return err
		}
		s, err := lockStock(ctx, tx, []string{o.SKU})
		if err != nil {
			return err
		}
		s[o.SKU].OnOrder -= o.Quantity
		return w.shelve(ctx, tx, s, movement{What: "replenished", Reference: o.ID}, messages.Line{SKU: o.SKU, Quantity: o.Quantity})
	})
}

// shelve puts new units on the shelf, serves those who wait for them, and tells of it.
func (w *warehouse) shelve(ctx context.Context, tx pgx.Tx, s shelf, m movement, units messages.Line) error {
	var b pgx.Batch
	enterMovement(&b, m, w.now(), units)
	s[units.SKU].shelve(units.Quantity)
	served, err := w.serve(ctx, tx, &b, s)
	if err != nil {
		return err
	}
	news := messages.StockReplenished{SKU: units.SKU, Quantity: units.Quantity, Available: s[units.SKU].free()}
	return w.keep(ctx, tx, &b, s, append(served, news)...)
}
