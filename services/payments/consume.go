package main

import (
	"context"
	"errors"
	"fmt"

	"example.com/orderflow/pkg/bus"
	"example.com/orderflow/pkg/inbox"
	"example.com/orderflow/pkg/messages"
	"example.com/orderflow/pkg/outbox"
	"github.com/jackc/pgx/v5"
)

// handlers lists which messages payments handles.
func (t *till) handlers() []inbox.Handler {
	return []inbox.Handler{
		inbox.On(t.takePayment),
		inbox.On(t.refundPayment),
	}
}

func (t *till) takePayment(ctx context.Context, tx pgx.Tx, m messages.TakePayment) error {
	return change(ctx, tx, m.OrderID, func(p payment) (turn, error) {
		next, ok := p.take(m, t.now())
		if !ok {
			return turn{}, bus.Reject(fmt.Errorf("asks for %d %s of an order that is to pay %d %s",
				m.Amount.Amount, m.Amount.Currency, p.Amount.Amount, p.Amount.Currency))
		}
		return next, nil
	})
}

func (t *till) refundPayment(ctx context.Context, tx pgx.Tx, m messages.RefundPayment) error {
	return change(ctx, tx, m.OrderID, func(p payment) (turn, error) { return p.refund(t.now()), nil })
}

// change commits a turn of an order's payment, which is the zero payment of that order when nothing is known of it yet.
func change(ctx context.Context, tx pgx.Tx, orderID string, decide func(payment) (turn, error)) error {
	p, err := lockPayment(ctx, tx, orderID)
	fresh := errors.Is(err, errNoPayment)
	if err != nil && !fresh {
		return err
	}
	if fresh {
		p = payment{OrderID: orderID}
	}
	next, err := decide(p)
	if err != nil {
		return err
	}
	switch {
	case fresh:
		err = insertPayment(ctx, tx, next.payment)
	case next.payment != p:
		err = updatePayment(ctx, tx, next.payment)
	}
	if err != nil {
		return err
	}
	return outbox.Send(ctx, tx, next.send...)
}
