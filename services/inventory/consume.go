package main

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"example.com/orderflow/pkg/bus"
	"example.com/orderflow/pkg/inbox"
	"example.com/orderflow/pkg/messages"
	"example.com/orderflow/pkg/outbox"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// handlers lists which messages inventory handles.
func (w *warehouse) handlers() []inbox.Handler {
	return []inbox.Handler{
		inbox.On(w.reserveStock),
		inbox.On(w.releaseStock),
		inbox.On(w.orderCompleted),
	}
}

// lock is done before the messages of a batch are handled: it takes the locks that all of them need, in the one order (see
// store.go). Handled one after the other they would take them in the order of the messages, and two replicas would wait for
// each other. The handlers rely on it: what they read of an order cannot change under them. It passes over what cannot be a
// key; the database refuses it when it is handled.
func (w *warehouse) lock(ctx context.Context, tx pgx.Tx, batch []messages.Message) error {
	var orders, skus []string
	mayFree := false
	for _, m := range batch {
		if id, err := uuid.Parse(m.Subject()); err == nil {
			orders = append(orders, id.String())
		}
		switch m := m.(type) {
		case messages.ReserveStock:
			for _, l := range m.Lines {
				if skuFormat.MatchString(l.SKU) {
					skus = append(skus, l.SKU)
				}
			}
		case messages.ReleaseStock:
			mayFree = true
		}
	}
	if err := lockOrders(ctx, tx, orders); err != nil {
		return err
	}
	known, err := linesOf(ctx, tx, orders) // only now: nobody adds any to these orders
	if err != nil {
		return err
	}
	skus = append(skus, known...)
	if mayFree {
		return lockQueues(ctx, tx, skus)
	}
	_, err = lockStock(ctx, tx, skus)
	return err
}

// reserveStock holds an order's lines, lets it wait for them, or turns it down. Asked again, it repeats what has become of
// the order by now.
func (w *warehouse) reserveStock(ctx context.Context, tx pgx.Tx, m messages.ReserveStock) error {
	r, err := readReservation(ctx, tx, m.OrderID)
	if err != nil {
		return err
	}
	if r.Status != "" {
		w.late(ctx, m, r.Status)
		return outbox.Send(ctx, tx, r.answer())
	}
	s, err := lockStock(ctx, tx, skusOf(m.Lines))
	if err != nil {
		return err
	}
	r = s.reserve(m.OrderID, m.Lines, m.AllowBackorder)
	if r.Status == rejected {
		s = nil // it has changed nothing
	}
	var b pgx.Batch
	insertReservation(&b, r, w.now())
	return w.keep(ctx, tx, &b, s, r.answer())
}

// releaseStock gives back what an order holds, or its places in the queues, and serves those behind it. An order that has
// not come yet is noted as released, so that it is given nothing when it comes.
func (w *warehouse) releaseStock(ctx context.Context, tx pgx.Tx, m messages.ReleaseStock) error {
	r, err := readReservation(ctx, tx, m.OrderID)
	if err != nil {
		return err
	}
	var b pgx.Batch
	switch r.Status {
	case "":
		r = reservation{OrderID: m.OrderID, Status: released, Missing: []messages.Line{}}
		insertReservation(&b, r, w.now())
		return w.keep(ctx, tx, &b, nil, r.answer())
	case released:
		w.late(ctx, m, r.Status)
		return outbox.Send(ctx, tx, r.answer())
	case taken:
		return bus.Reject(fmt.Errorf("order %s has been delivered, its stock cannot be released", m.OrderID))
	}
	s, err := lockStock(ctx, tx, skusOf(r.Lines))
	if err != nil {
		return err
	}
	r = s.release(r)
	updateReservations(&b, r.Status, w.now(), r.OrderID)
	served, err := w.serve(ctx, tx, &b, s)
	if err != nil {
		return err
	}
	return w.keep(ctx, tx, &b, s, append(served, r.answer())...)
}

// orderCompleted takes what was delivered off the books.
func (w *warehouse) orderCompleted(ctx context.Context, tx pgx.Tx, m messages.OrderCompleted) error {
	r, err := readReservation(ctx, tx, m.OrderID)
	if err != nil {
		return err
	}
	s, err := lockStock(ctx, tx, skusOf(r.Lines))
	if err != nil {
		return err
	}
	after, ok := s.take(r)
	if !ok {
		w.late(ctx, m, r.Status)
		return nil
	}
	var b pgx.Batch
	updateReservations(&b, after.Status, w.now(), r.OrderID)
	enterMovement(&b, movement{What: "taken", Reference: r.OrderID}, w.now(), r.Lines...)
	return w.keep(ctx, tx, &b, s)
}

func skusOf(lines []messages.Line) []string {
	skus := make([]string, len(lines))
	for i, l := range lines {
		skus[i] = l.SKU
	}
	return skus
}

// serve gives what has become free to those who wait for it, and returns what to tell them. The caller has locked their
// queues; s grows by the other products that they are given.
func (w *warehouse) serve(ctx context.Context, tx pgx.Tx, b *pgx.Batch, s shelf) (answers []messages.Message, err error) {
	available := s.contended()
	if len(available) == 0 {
		return nil, nil
	}
	if err := write(ctx, tx, b); err != nil { // who has left a queue must not be found there
		return nil, err
	}
	queue, err := readQueues(ctx, tx, available)
	if err != nil {
		return nil, err
	}
	var others []string
	for _, next := range queue {
		for _, c := range next.Lines {
			if s[c.SKU] == nil {
				others = append(others, c.SKU)
			}
		}
	}
	more, err := lockStock(ctx, tx, others)
	if err != nil {
		return nil, err
	}
	maps.Copy(s, more)
	var ids []string
	for _, r := range s.serve(queue) {
		ids, answers = append(ids, r.OrderID), append(answers, r.answer())
	}
	updateReservations(b, reserved, w.now(), ids...)
	return answers, nil
}

// turnAway rejects those who wait for more of a product than will ever come, because it is not reordered any more, serves
// those who came after them, and returns what to tell them. The caller has locked what lockWaiting locks.
func (w *warehouse) turnAway(ctx context.Context, tx pgx.Tx, b *pgx.Batch, s shelf, sku string) (answers []messages.Message, err error) {
	if s[sku].comes(0) {
		return nil, nil
	}
	queue, err := waitingFor(ctx, tx, sku)
	if err != nil {
		return nil, err
	}
	var skus, ids []string
	for _, r := range queue {
		skus = append(skus, skusOf(r.Lines)...)
	}
	others, err := lockStock(ctx, tx, slices.DeleteFunc(skus, func(other string) bool { return other == sku }))
	if err != nil {
		return nil, err
	}
	maps.Copy(s, others)
	for _, r := range s.turnAway(sku, queue) {
		ids, answers = append(ids, r.OrderID), append(answers, r.answer())
	}
	updateReservations(b, rejected, w.now(), ids...)
	served, err := w.serve(ctx, tx, b, s)
	return append(answers, served...), err
}

// keep writes a shelf back, records what to order from the supplier where it runs low, and sends messages about it.
func (w *warehouse) keep(ctx context.Context, tx pgx.Tx, b *pgx.Batch, s shelf, msgs ...messages.Message) error {
	if err := insertSupplierOrders(b, s.restock(), w.now()); err != nil {
		return err
	}
	saveStock(b, s)
	if err := write(ctx, tx, b); err != nil {
		return err
	}
	return outbox.Send(ctx, tx, msgs...)
}
