package main

import (
	"context"
	"errors"
	"time"

	"example.com/orderflow/pkg/client"
	"example.com/orderflow/pkg/unit"
	"example.com/orderflow/pkg/wait"
	"example.com/orderflow/pkg/worker"
)

const (
	supplierSlots  = 4
	supplierWithin = 25 * time.Second // for two calls and a transaction
	supplierLease  = 40 * time.Second

	retryFirst = time.Second // after a failure
	retryMost  = time.Minute
	askFirst   = 250 * time.Millisecond // about an order that is on its way
	askMost    = time.Minute
)

// newWorker returns the worker that places supplier orders and follows them until they arrive. The transactions that find the
// stock low only record the orders.
func (w *warehouse) newWorker() *worker.Worker[supplierOrder] {
	return &worker.Worker[supplierOrder]{
		Name: "replenishment", Log: w.log, Slots: supplierSlots, Within: supplierWithin,
		Claim: func(ctx context.Context, limit int) ([]supplierOrder, error) {
			return claimSupplierOrders(ctx, w.db, limit, w.now(), supplierLease)
		},
		Do: w.replenish,
	}
}

// replenish takes one supplier order a step further. It asks before it orders, because a worker before it may have placed the
// order and then died, or not received the answer.
func (w *warehouse) replenish(ctx context.Context, o supplierOrder) error {
	d, known, err := w.supplier.find(ctx, o.ID)
	w.meters.called(ctx, "find", err)
	if err == nil && !known {
		d, err = w.supplier.order(ctx, o.ID, o.SKU, o.Quantity)
		w.meters.called(ctx, "order", err)
	}
	return errors.Join(err, w.record(ctx, o, d, err))
}

// record commits the result of a call to the supplier, together with results that others record at the same time.
func (w *warehouse) record(ctx context.Context, o supplierOrder, d delivery, failure error) error {
	return w.office.Do(ctx, unit.Decision[*work]{
		Name: func(w *work) {
			w.supplies.Name(o.ID)
			if d.arrived {
				w.locks.freeing = append(w.locks.freeing, o.SKU)
			}
		},
		Make: func(w *work) error {
			w.supplied(ctx, o.ID, d, failure)
			return nil
		},
	})
}

// supplied applies the supplier's answer about an order, or the failure to get one. Units that have arrived are put on the
// shelf, once.
func (w *work) supplied(ctx context.Context, id string, d delivery, failure error) {
	o, known := w.supplies.Get(id)
	if !known || o.Status == arrived {
		return
	}
	switch {
	case failure != nil:
		o.LastError, o.DueAt = client.Clean(failure.Error()), w.at.Add(wait.After(o.Attempts, retryFirst, retryMost))
	case d.arrived:
		o.Status, o.LastError, o.UpdatedAt = arrived, "", w.at
		w.shelf[o.SKU].OnOrder -= o.Quantity
		w.shelve(ctx, movement{Reference: o.ID, SKU: o.SKU, What: "replenished", Quantity: o.Quantity})
	default:
		o.Status, o.Attempts, o.LastError, o.DueAt, o.UpdatedAt = ordered, 0, "", w.at.Add(askIn(d.expects, w.at)), w.at
	}
	w.supplies.Put(id, o)
}

// askIn returns the wait until the supplier is asked again about an order: until it is expected, but at most askMost, as it may
// come sooner. Once it is overdue, the waits get longer.
func askIn(expected, now time.Time) time.Duration {
	in := expected.Sub(now)
	if in < 0 {
		in = -(in / 2) // halved before the sign changes: for an unknown time, in is the lowest value there is
	}
	return min(max(in, askFirst), askMost)
}
