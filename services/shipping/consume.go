package main

import (
	"context"
	"errors"

	"example.com/orderflow/pkg/inbox"
	"example.com/orderflow/pkg/messages"
	"example.com/orderflow/pkg/outbox"
	"github.com/jackc/pgx/v5"
)

// handlers lists which messages shipping handles.
func (d *dock) handlers() []inbox.Handler {
	return []inbox.Handler{
		inbox.On(d.arrangeShipment),
		inbox.On(d.cancelShipment),
	}
}

func (d *dock) arrangeShipment(ctx context.Context, tx pgx.Tx, m messages.ArrangeShipment) error {
	return obey(ctx, tx, m, func(s shipment) turn { return s.arrange(m, d.now()) })
}

func (d *dock) cancelShipment(ctx context.Context, tx pgx.Tx, m messages.CancelShipment) error {
	return obey(ctx, tx, m, func(s shipment) turn { return s.cancel(d.now()) })
}

// obey commits the turn that a command brings to the shipment of its order, which is the zero shipment of that order when
// nothing is known of it yet.
func obey(ctx context.Context, tx pgx.Tx, m messages.Command, decide func(shipment) turn) error {
	s, err := lockShipment(ctx, tx, m.Subject())
	if errors.Is(err, errNoShipment) {
		s, err = shipment{OrderID: m.Subject()}, nil
	}
	if err != nil {
		return err
	}
	next := decide(s)
	if next.shipment.Status != s.Status || next.shipment.CancelWanted != s.CancelWanted {
		next.shipment.Origin = outbox.OriginOf(ctx)
	}
	return save(ctx, tx, s, next)
}

// save commits a turn of a shipment that was s.
func save(ctx context.Context, tx pgx.Tx, s shipment, next turn) (err error) {
	if s.Status == "" {
		err = insertShipment(ctx, tx, next.shipment)
	} else {
		err = updateShipment(ctx, tx, next.shipment)
	}
	if err != nil {
		return err
	}
	return outbox.Send(ctx, tx, next.send...)
}
