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
	return obey(ctx, tx, m, func(p payment) (turn, error) {
		next, ok := p.take(m, t.now())
		if !ok {
			return turn{}, bus.Reject(fmt.Errorf("asks for %d %s of an order that is to pay %d %s",
				m.Amount.Amount, m.Amount.Currency, p.Amount.Amount, p.Amount.Currency))
		}
		return next, nil
	})
}

func (t *till) refundPayment(ctx context.Context, tx pgx.Tx, m messages.RefundPayment) error {
	return obey(ctx, tx, m, func(p payment) (turn, error) { return p.refund(t.now()), nil })
}

// obey commits the turn that a command brings to the payment of its order, which is the zero payment of that order when
// nothing is known of it yet.
func obey(ctx context.Context, tx pgx.Tx, m messages.Command, decide func(payment) (turn, error)) error {
	p, err := lockPayment(ctx, tx, m.Subject())
	if errors.Is(err, errNoPayment) {
		p, err = payment{OrderID: m.Subject()}, nil
	}
	if err != nil {
		return err
	}
	next, err := decide(p)
	if err != nil {
		return err
	}
	if next.payment.Status != p.Status {
		next.payment.Origin = outbox.OriginOf(ctx)
	}
	return save(ctx, tx, p, next)
}

// save commits a turn of a payment that was p.
func save(ctx context.Context, tx pgx.Tx, p payment, next turn) (err error) {
	switch {
	case p.Status == "":
		err = insertPayment(ctx, tx, next.payment)
	case p != next.payment:
		err = updatePayment(ctx, tx, next.payment)
	}
	if err != nil {
		return err
	}
	return outbox.Send(ctx, tx, next.send...)
}
