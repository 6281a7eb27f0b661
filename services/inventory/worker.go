package main

import (
	"context"
	"errors"
	"time"

	"example.com/orderflow/pkg/client"
	"example.com/orderflow/pkg/unit"
	"example.com/orderflow/pkg/worker"
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

// newWorker returns what places supplier orders and sees to it that they arrive. The transactions that found out that stock
// runs low have only recorded them.
func (w *warehouse) newWorker() *worker.Worker[supplierOrder] {
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
	return errors.Join(err, w.record(ctx, o, d, err))
}

// record writes down what a call to the supplier has come to, with what other calls have come to at the same moment.
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

// supplied notes the supplier's answer about an order, or that there was none. What has arrived is put on the shelf, once.
func (w *work) supplied(ctx context.Context, id string, d delivery, failure error) {
	o, known := w.supplies.Get(id)
	if !known || o.Status == arrived {
		return
	}
	switch {
	case failure != nil:
		o.LastError, o.DueIn = client.Clean(failure.Error()), worker.Backoff(o.Attempts, retryFirst, retryMost)
	case d.arrived:
		o.Status, o.LastError, o.UpdatedAt = arrived, "", w.at
		w.shelf[o.SKU].OnOrder -= o.Quantity
		w.shelve(ctx, movement{Reference: o.ID, SKU: o.SKU, What: "replenished", Quantity: o.Quantity})
	default:
		o.Status, o.Attempts, o.LastError, o.DueIn, o.UpdatedAt = ordered, 0, "", askIn(d.expects, w.at), w.at
	}
	w.supplies.Put(id, o)
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
