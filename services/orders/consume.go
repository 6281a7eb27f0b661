package main

import (
	"context"

	"example.com/orderflow/pkg/inbox"
	"example.com/orderflow/pkg/messages"
)

// handlers returns the handlers of the messages that orders takes.
func (s *shop) handlers() []inbox.Handler[*work] {
	return []inbox.Handler[*work]{
		inbox.On(checkProgress),
		inbox.On(productChanged),

		inbox.On(onEvent[messages.StockReserved]),
		inbox.On(onEvent[messages.StockBackordered]),
		inbox.On(onEvent[messages.StockRejected]),
		inbox.On(onEvent[messages.StockReleased]),

		inbox.On(onEvent[messages.PaymentTaken]),
		inbox.On(onEvent[messages.PaymentDeclined]),
		inbox.On(onEvent[messages.PaymentRefunded]),

		inbox.On(onEvent[messages.ShipmentArranged]),
		inbox.On(onEvent[messages.ShipmentDispatched]),
		inbox.On(onEvent[messages.ShipmentInTransit]),
		inbox.On(onEvent[messages.ShipmentDelivered]),
		inbox.On(onEvent[messages.ShipmentFailed]),
		inbox.On(onEvent[messages.ShipmentCancelled]),
		inbox.On(onEvent[messages.CancellationRefused]),
	}
}

// onEvent applies an event to its order, stage by stage if the event reports several. An event about an unknown order, or one
// that changes nothing because it is late or a duplicate, is acknowledged, counted and logged.
func onEvent[M messages.Message](ctx context.Context, w *work, m M) error {
	o, known := w.orders.Get(m.Subject())
	if !known {
		w.ignored(ctx, m, "unknown")
		return nil
	}
	applied := false
	for _, event := range messages.Unfold(m) {
		out, ok := o.apply(event, w.now(), w.timeouts)
		w.put(ctx, out)
		o, applied = out.order, applied || ok
	}
	if !applied {
		w.ignored(ctx, m, o.Status)
	}
	return nil
}

// productChanged updates orders' own copy of the catalogue. The highest version of a product wins, in whatever order the events
// arrive.
func productChanged(_ context.Context, w *work, m messages.ProductChanged) error {
	if before, ok := w.catalogue[m.SKU]; !ok || before.Version < m.Version {
		w.catalogue[m.SKU] = m
	}
	return nil
}

// checkProgress applies a deadline that the previous release has set: there, a deadline was a message. The message is void if
// the order has gone on since. An order may also have a DueAt that the older release could not change; it was set in an earlier
// state, while replicas of both releases were running, and may be days ahead.
func checkProgress(ctx context.Context, w *work, m messages.CheckProgress) error {
	o, known := w.orders.Get(m.OrderID)
	if !known || o.Step != m.Step {
		return nil
	}
	now := w.now()
	o.DueAt, o.Passed = &now, m.Attempt
	out, _ := o.overdue(now, w.timeouts)
	w.put(ctx, out)
	return nil
}
