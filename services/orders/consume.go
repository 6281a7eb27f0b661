package main

import (
	"context"

	"example.com/orderflow/pkg/inbox"
	"example.com/orderflow/pkg/messages"
)

// handlers lists which messages orders handles.
func (s *shop) handlers() []inbox.Handler[*work] {
	return []inbox.Handler[*work]{
		inbox.On(checkProgress),
		inbox.On(productChanged),

		inbox.On(heard[messages.StockReserved]),
		inbox.On(heard[messages.StockBackordered]),
		inbox.On(heard[messages.StockRejected]),
		inbox.On(heard[messages.StockReleased]),

		inbox.On(heard[messages.PaymentTaken]),
		inbox.On(heard[messages.PaymentDeclined]),
		inbox.On(heard[messages.PaymentRefunded]),

		inbox.On(heard[messages.ShipmentArranged]),
		inbox.On(heard[messages.ShipmentDispatched]),
		inbox.On(heard[messages.ShipmentInTransit]),
		inbox.On(heard[messages.ShipmentDelivered]),
		inbox.On(heard[messages.ShipmentFailed]),
		inbox.On(heard[messages.ShipmentCancelled]),
		inbox.On(heard[messages.CancellationRefused]),
	}
}

// heard takes an event to the order that it is about, stage by stage if it tells of several. One about an order that does not
// exist, or that brings no turn, is late or a duplicate: it is acknowledged, counted and logged.
func heard[M messages.Message](ctx context.Context, w *work, m M) error {
	o, known := w.orders.Get(m.Subject())
	if !known {
		w.late(ctx, m, "unknown")
		return nil
	}
	news := false
	for _, event := range messages.Unfold(m) {
		t, moved := o.hear(event, w.now(), w.patience)
		w.take(ctx, t)
		o, news = t.order, news || moved
	}
	if !news {
		w.late(ctx, m, o.Status)
	}
	return nil
}

// productChanged keeps orders' own copy of the catalogue: the latest version, whatever the order of arrival.
func productChanged(_ context.Context, w *work, m messages.ProductChanged) error {
	if before, ok := w.catalogue[m.SKU]; !ok || before.Version < m.Version {
		w.catalogue[m.SKU] = m
	}
	return nil
}

// checkProgress takes a deadline to its order that a release before this one has set: there a deadline was a message. It is void
// once the order has moved on. A DueAt that the order has beside it is one that the other release could not move: while replicas
// of both are at work this one may have set it in an earlier step, and it may be days ahead.
func checkProgress(ctx context.Context, w *work, m messages.CheckProgress) error {
	o, known := w.orders.Get(m.OrderID)
	if !known || o.Step != m.Step {
		return nil
	}
	now := w.now()
	o.DueAt, o.Passed = &now, m.Attempt
	t, _ := o.overdue(now, w.patience)
	w.take(ctx, t)
	return nil
}
