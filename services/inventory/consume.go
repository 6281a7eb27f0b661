package main

import (
	"context"
	"fmt"

	"example.com/orderflow/pkg/bus"
	"example.com/orderflow/pkg/inbox"
	"example.com/orderflow/pkg/messages"
	"example.com/orderflow/pkg/outbox"
)

// handlers lists which messages inventory handles.
func (w *warehouse) handlers() []inbox.Handler[*work] {
	return []inbox.Handler[*work]{
		inbox.On(reserveStock),
		inbox.On(releaseStock),
		inbox.On(orderCompleted),
	}
}

// reserveStock holds an order's lines, lets it wait for them, or turns it down. Asked again, it repeats what has become of
// the order by now.
func reserveStock(ctx context.Context, w *work, m messages.ReserveStock) error {
	r, known := w.reservations.Get(m.OrderID)
	if known {
		w.ignored(ctx, m, r.Status)
		w.send(ctx, r.answer())
		return nil
	}
	s := w.shelf.of(m.Lines)
	r = s.reserve(m.OrderID, m.Lines, m.AllowBackorder)
	if r.Status != rejected { // which changes nothing on the shelf
		w.restock(s)
	}
	w.reservations.Put(r.OrderID, r)
	w.send(ctx, r.answer())
	return nil
}

// releaseStock gives back what an order holds, or its places in the queues; Save serves those behind it. An order that has
// not come yet is noted as released, so that it is given nothing when it comes.
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

// orderCompleted takes what was delivered off the books.
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
