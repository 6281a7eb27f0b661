package main

import (
	"context"

	"example.com/orderflow/pkg/inbox"
	"example.com/orderflow/pkg/messages"
	"example.com/orderflow/pkg/outbox"
)

// handlers lists which messages shipping handles.
func (d *dock) handlers() []inbox.Handler[*work] {
	return []inbox.Handler[*work]{
		inbox.On(arrangeShipment),
		inbox.On(cancelShipment),
	}
}

func arrangeShipment(ctx context.Context, w *work, m messages.ArrangeShipment) error {
	s := w.of(m.OrderID)
	w.onCommand(ctx, s, s.arrange(m, w.now()))
	return nil
}

func cancelShipment(ctx context.Context, w *work, m messages.CancelShipment) error {
	s := w.of(m.OrderID)
	w.onCommand(ctx, s, s.cancel(w.now()))
	return nil
}

// onCommand has saved what a command makes of a shipment that was s. What is done because of it later belongs to that command.
func (w *work) onCommand(ctx context.Context, s shipment, next outcome) {
	origin := outbox.OriginOf(ctx)
	if next.shipment.Status != s.Status || next.shipment.CancelWanted != s.CancelWanted {
		next.shipment.Origin = origin
	}
	w.put(origin, next)
}
