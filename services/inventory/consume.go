package main

import (
	"context"
	"fmt"

	"example.com/orderflow/pkg/bus"
	"example.com/orderflow/pkg/inbox"
	"example.com/orderflow/pkg/messages"
	"example.com/orderflow/pkg/outbox"
)

// handlers returns the handlers of the messages that inventory takes.
func (w *warehouse) handlers() []inbox.Handler[*work] {
	return []inbox.Handler[*work]{
		inbox.On(reserveStock),
		inbox.On(releaseStock),
		inbox.On(orderCompleted),
	}
}

// reserveStock reserves an order's lines, lets the order wait for them, or rejects it. A repeated command gets the current
// status of the order as its answer.
func reserveStock(ctx context.Context, w *work, m messages.ReserveStock) error {
	r, known := w.reservations.Get(m.OrderID)
	if known {
		w.ignored(ctx, m, r.Status)
		w.send(ctx, r.answer())
		return nil
	}
	s := w.shelf.of(m.Lines)
	r = s.reserve(m.OrderID, m.Lines, m.AllowBackorder)
	if r.Status != rejected { // a rejection changes nothing on the shelf
		w.restock(s)
	}
	w.reservations.Put(r.OrderID, r)
	w.send(ctx, r.answer())
	return nil
}

// releaseStock gives back the units that an order holds, or its places in the queues; Save then serves the orders behind it. An
// order that is not known yet is recorded as released (a tombstone), so that a later ReserveStock reserves nothing.
func releaseStock(ctx context.Context, w *work, m messages.ReleaseStock) error {
	r, known := w.reservations.Get(m.OrderID)
	switch {
	case !known:
		r = reservation{OrderID: m.OrderID, Status: released, Missing: []messages.Line{}}
	case r.Status == released:
		w.ignored(ctx, m, r.Status)
		w.send(ctx, r.answer())
		return nil
	case r.Status == taken:
		return bus.Reject(fmt.Errorf("order %s has been delivered, its stock cannot be released", m.OrderID))
	default:
		s := w.shelf.of(r.Lines)
		r = s.release(r)
		w.free(outbox.OriginOf(ctx), r.Lines)
		w.restock(s)
	}
	w.reservations.Put(r.OrderID, r)
	w.send(ctx, r.answer())
	return nil
}

// orderCompleted removes delivered units from the stock.
func orderCompleted(ctx context.Context, w *work, m messages.OrderCompleted) error {
	r, _ := w.reservations.Get(m.OrderID)
	s := w.shelf.of(r.Lines)
	after, ok := s.take(r)
	if !ok {
		w.ignored(ctx, m, r.Status)
		return nil
	}
	for _, l := range r.Lines {
		w.enter(movement{Reference: r.OrderID, SKU: l.SKU, What: "taken", Quantity: -l.Quantity})
	}
	w.restock(s)
	w.reservations.Put(r.OrderID, after)
	return nil
}
