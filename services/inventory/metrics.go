package main

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/metric"

	"example.com/orderflow/pkg/client"
	"example.com/orderflow/pkg/fault"
	"example.com/orderflow/pkg/telemetry"
)

// observe registers the metrics of the stock and of supplier orders. They are read from the database at each collection.
func (w *warehouse) observe() {
	meter := telemetry.Meter()
	units, _ := meter.Int64ObservableGauge("inventory_units", metric.WithDescription("Units of all products together: available, reserved, backordered and on order."))
	kinds, _ := meter.Int64ObservableGauge("inventory_products", metric.WithDescription("Products: all, those that are sold out, and those that somebody waits for."))
	open, _ := meter.Int64ObservableGauge("inventory_supplier_orders_open", metric.WithDescription("Supplier orders that have not arrived, by status."))
	failing, _ := meter.Int64ObservableGauge("inventory_supplier_orders_failing", metric.WithDescription("Of them, those whose last attempt failed."))
	oldest, _ := meter.Float64ObservableGauge("inventory_supplier_orders_oldest", metric.WithUnit("s"), metric.WithDescription("How long ago the oldest of them was requested, by status."))
	telemetry.Gauges(func(ctx context.Context, o metric.Observer) error {
		all, err := sumStock(ctx, w.db)
		if err != nil {
			return err
		}
		for state, n := range map[string]int64{"available": all.Available, "reserved": all.Reserved, "backordered": all.Backordered, "on_order": all.OnOrder} {
			o.ObserveInt64(units, n, telemetry.Label("state", state))
		}
		for state, n := range map[string]int64{"all": all.Products, "sold_out": all.SoldOut, "waited_for": all.WaitedFor} {
			o.ObserveInt64(kinds, n, telemetry.Label("state", state))
		}
		counts, err := countSupplierOrders(ctx, w.db)
		if err != nil {
			return err
		}
		now := w.now()
		for _, c := range counts {
			status := telemetry.Label("status", c.Status)
			o.ObserveInt64(open, c.Count, status)
			o.ObserveInt64(failing, c.Failing, status)
			o.ObserveFloat64(oldest, now.Sub(c.Oldest).Seconds(), status)
		}
		return nil
	}, units, kinds, open, failing, oldest)
}

// count counts a call by its result: it told of an order, found nothing, was refused, or failed.
func (h *httpSupplier) count(ctx context.Context, call string, known bool, err error) {
	outcome := "ok"
	if _, refused := errors.AsType[*client.Problem](err); refused {
		outcome = "refused"
	} else if err != nil {
		outcome = string(fault.KindOf(err)) // unavailable, timeout or bad-gateway
	} else if !known {
		outcome = "nothing"
	}
	h.calls.Count(ctx, 1, call, outcome)
}
