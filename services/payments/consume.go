package main

import (
	"context"
	"fmt"
	"reflect"

	"example.com/orderflow/pkg/bus"
	"example.com/orderflow/pkg/inbox"
	"example.com/orderflow/pkg/messages"
	"example.com/orderflow/pkg/outbox"
)

// handlers returns the handlers of the messages that payments takes.
func (t *till) handlers() []inbox.Handler[*work] {
	return []inbox.Handler[*work]{
		inbox.On(takePayment),
		inbox.On(refundPayment),
	}
}

func takePayment(ctx context.Context, w *work, m messages.TakePayment) error {
	p := w.of(m.OrderID)
	next, ok := p.take(m, w.now())
	if !ok {
		return bus.Reject(fmt.Errorf("asks for %d %s of an order that is to pay %d %s",
			m.Amount.Amount, m.Amount.Currency, p.Amount.Amount, p.Amount.Currency))
	}
	w.onCommand(ctx, m, p, next)
	return nil
}

func refundPayment(ctx context.Context, w *work, m messages.RefundPayment) error {
	p := w.of(m.OrderID)
	w.onCommand(ctx, m, p, p.refund(w.now()))
	return nil
}

// onCommand saves the outcome of a command for the payment p. If the status changes, the command becomes the origin of
// everything that follows from it.
func (w *work) onCommand(ctx context.Context, m messages.Message, p payment, next outcome) {
	if reflect.DeepEqual(next.payment, p) {
		w.ignored(ctx, m, p.Status)
	}
	origin := outbox.OriginOf(ctx)
	if next.payment.Status != p.Status {
		next.payment.Origin = origin
	}
	w.put(origin, next)
}
