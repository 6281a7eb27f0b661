package main

import (
	"context"
	"errors"

	"example.com/orderflow/pkg/inbox"
	"example.com/orderflow/pkg/messages"
	"github.com/jackc/pgx/v5"
)

// handlers lists which messages orders handles.
func (s *shop) handlers() []inbox.Handler {
	return []inbox.Handler{
		inbox.On(s.checkProgress),
		inbox.On(s.productChanged),

		inbox.On(heard[messages.StockReserved](s)),
		inbox.On(heard[messages.StockBackordered](s)),
		inbox.On(heard[messages.StockRejected](s)),
		inbox.On(heard[messages.StockReleased](s)),

		inbox.On(heard[messages.PaymentTaken](s)),
		inbox.On(heard[messages.PaymentDeclined](s)),
		inbox.On(heard[messages.PaymentRefunded](s)),

		inbox.On(heard[messages.ShipmentArranged](s)),
		inbox.On(heard[messages.ShipmentDispatched](s)),
		inbox.On(heard[messages.ShipmentInTransit](s)),
		inbox.On(heard[messages.ShipmentDelivered](s)),
		inbox.On(heard[messages.ShipmentFailed](s)),
		inbox.On(heard[messages.ShipmentCancelled](s)),
		inbox.On(heard[messages.CancellationRefused](s)),
	}
}

// heard takes an event to the order that it is about.
func heard[M messages.Message](s *shop) func(context.Context, pgx.Tx, M) error {
	return func(ctx context.Context, tx pgx.Tx, m M) error {
		return s.advance(ctx, tx, m, func(o order) (turn, bool) { return o.hear(m, s.now(), s.patience) })
	}
}

// checkProgress takes a deadline to its order.
func (s *shop) checkProgress(ctx context.Context, tx pgx.Tx, m messages.CheckProgress) error {
	return s.advance(ctx, tx, m, func(o order) (turn, bool) {
		t, moved := o.check(m, s.now(), s.patience)
		return t, moved || o.Step != m.Step // a deadline that no longer matters is not late: nearly all of them are void
	})
}

// advance commits the turn that a message brings. A message about an order that does not exist, or that brings no turn,
// is late or a duplicate: it is acknowledged, counted and logged.
func (s *shop) advance(ctx context.Context, tx pgx.Tx, m messages.Message, decide func(order) (turn, bool)) error {
	o, err := lockOrder(ctx, tx, m.Subject())
	if errors.Is(err, errNoOrder) {
		s.late(ctx, m, "unknown")
		return nil
	}
	if err != nil {
		return err
	}
	t, moved := decide(o)
	if !moved {
		s.late(ctx, m, o.Status)
	}
	return updateOrder(ctx, tx, t)
}

// productChanged keeps orders' own copy of the catalogue.
func (s *shop) productChanged(ctx context.Context, tx pgx.Tx, m messages.ProductChanged) error {
	return keepProduct(ctx, tx, m)
}
