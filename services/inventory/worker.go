package main

import (
	"context"
	"errors"
	"time"

	"example.com/orderflow/pkg/client"
	"example.com/orderflow/pkg/outbox"
	"example.com/orderflow/pkg/unit"
	"example.com/orderflow/pkg/wait"
	"example.com/orderflow/pkg/worker"
)

const (
	workWithin = 25 * time.Second // for two calls of the supplier, 8 s each, and a transaction
	lease      = 40 * time.Second // longer than workWithin: when it ends, its worker is dead or frozen

	againFirst = time.Second // after a failure
	againMost  = time.Minute
	askFirst   = 250 * time.Millisecond // about an order that is on its way
	askMost    = time.Minute
)

// newWorker returns the worker that places supplier orders and follows them until they arrive. The transactions that find the
// stock low only record the orders.
func (w *warehouse) newWorker(slots uint) *worker.Worker[supplierOrder] {
	return &worker.Worker[supplierOrder]{
		Name:  "supplier",
		Log:   w.log,
		Slots: int(max(1, slots)),
		Claim: func(ctx context.Context, limit int) ([]supplierOrder, error) {
			return claimSupplierOrders(ctx, w.db, limit, w.now(), lease)
		},
		Do:     w.process,
		Within: workWithin,
	}
}

// process takes one supplier order a step further. It asks before it orders, because a worker before it may have placed the
// order and then died, or not received the answer.
func (w *warehouse) process(ctx context.Context, o supplierOrder) (err error) {
	ctx, span := outbox.Origin{}.Work(ctx, "supplier", o.ID) // it is for many orders, so it has a trace of its own
	defer func() { span.End(err) }()
	d, known, err := w.supplier.find(ctx, o.ID)
	if err == nil && !known {
		d, err = w.supplier.order(ctx, o.ID, o.SKU, o.Quantity)
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
		o.LastError, o.DueAt = client.Clean(failure.Error()), w.at.Add(wait.After(o.Attempts, againFirst, againMost))
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
