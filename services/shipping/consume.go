package main

import (
	"context"
	"reflect"

	"example.com/orderflow/pkg/inbox"
	"example.com/orderflow/pkg/messages"
	"example.com/orderflow/pkg/outbox"
)

// handlers returns the handlers of the messages that shipping takes.
func (d *dock) handlers() []inbox.Handler[*work] {
	return []inbox.Handler[*work]{
		inbox.On(arrangeShipment),
		inbox.On(cancelShipment),
	}
}

func arrangeShipment(ctx context.Context, w *work, m messages.ArrangeShipment) error {
	s := w.of(m.OrderID)
	w.onCommand(ctx, m, s, s.arrange(m, w.now()))
	return nil
}

func cancelShipment(ctx context.Context, w *work, m messages.CancelShipment) error {
	s := w.of(m.OrderID)
	w.onCommand(ctx, m, s, s.cancel(w.now()))
	return nil
}

// onCommand saves the outcome of a command for the shipment s. If the command changes the status or CancelWanted, it becomes
// the origin of everything that follows from it.
func (w *work) onCommand(ctx context.Context, m messages.Message, s shipment, next outcome) {
	if reflect.DeepEqual(next.shipment, s) {
		w.ignored(ctx, m, s.Status)
	}
	origin := outbox.OriginOf(ctx)
	if next.shipment.Status != s.Status || next.shipment.CancelWanted != s.CancelWanted {
		next.shipment.Origin = origin
	}
	w.put(origin, next)
}
