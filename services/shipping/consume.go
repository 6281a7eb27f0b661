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
	return change(ctx, tx, m.OrderID, func(s shipment) turn { return s.arrange(m, d.now()) })
}

func (d *dock) cancelShipment(ctx context.Context, tx pgx.Tx, m messages.CancelShipment) error {
	return change(ctx, tx, m.OrderID, func(s shipment) turn { return s.cancel(d.now()) })
}

// change commits a turn of an order's shipment, which is the zero shipment of that order when nothing is known of it yet.
func change(ctx context.Context, tx pgx.Tx, orderID string, decide func(shipment) turn) error {
	s, err := lockShipment(ctx, tx, orderID)
	fresh := errors.Is(err, errNoShipment)
	if err != nil && !fresh {
		return err
	}
	if fresh {
		s = shipment{OrderID: orderID}
	}
	next := decide(s)
	next.shipment.Origin = outbox.OriginOf(ctx)
	if fresh {
		err = insertShipment(ctx, tx, next.shipment)
	} else {
		err = updateShipment(ctx, tx, next.shipment)
	}
	if err != nil {
		return err
	}
	return outbox.Send(ctx, tx, next.send...)
}
