package main

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"example.com/orderflow/pkg/client"
	"example.com/orderflow/pkg/fault"
	"example.com/orderflow/pkg/messages"
)

const meterName = "orderflow/inventory"

// observe registers the metrics of the stock and of supplier orders. They are read from the database at each collection.
func (w *warehouse) observe() {
	meter := otel.Meter(meterName)
	units, _ := meter.Int64ObservableGauge("inventory_units", metric.WithDescription("Units of all products together: available, reserved, backordered and on order."))
	kinds, _ := meter.Int64ObservableGauge("inventory_products", metric.WithDescription("Products: all, those that are sold out, and those that somebody waits for."))
	open, _ := meter.Int64ObservableGauge("inventory_supplier_orders_open", metric.WithDescription("Supplier orders that have not arrived, by status."))
	failing, _ := meter.Int64ObservableGauge("inventory_supplier_orders_failing", metric.WithDescription("Of them, those whose last attempt failed."))
	_, _ = meter.RegisterCallback(func(ctx context.Context, o metric.Observer) error {
		all, err := sumStock(ctx, w.db)
		if err != nil {
			return err
		}
		for state, n := range map[string]int64{"available": all.Available, "reserved": all.Reserved, "backordered": all.Backordered, "on_order": all.OnOrder} {
			o.ObserveInt64(units, n, metric.WithAttributes(attribute.String("state", state)))
		}
		for state, n := range map[string]int64{"all": all.Products, "sold_out": all.SoldOut, "waited_for": all.WaitedFor} {
			o.ObserveInt64(kinds, n, metric.WithAttributes(attribute.String("state", state)))
		}
		counts, err := countSupplierOrders(ctx, w.db)
		if err != nil {
			return err
		}
		for _, c := range counts {
			status := metric.WithAttributes(attribute.String("status", c.Status))
			o.ObserveInt64(open, c.Count, status)
			o.ObserveInt64(failing, c.Failing, status)
		}
		return nil
	}, units, kinds, open, failing)
}

func newIgnoredCounter() metric.Int64Counter {
	skipped, _ := otel.Meter(meterName).Int64Counter("inventory_ignored_messages", metric.WithDescription("Messages that changed nothing: they came too late, or for the second time."))
	return skipped
}

// ignored counts and logs a message that changed nothing.
func (w *warehouse) ignored(ctx context.Context, m messages.Message, in status) {
	w.skipped.Add(ctx, 1, metric.WithAttributes(attribute.String("kind", m.Kind())))
	w.log.InfoContext(ctx, "message changed nothing", "kind", m.Kind(), "order_id", m.Subject(), "status", in)
}

func newCallCounter() metric.Int64Counter {
	calls, _ := otel.Meter(meterName).Int64Counter("inventory_supplier_calls", metric.WithDescription("Calls of the supplier, by call and outcome."))
	return calls
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
	h.calls.Add(ctx, 1, metric.WithAttributes(attribute.String("call", call), attribute.String("outcome", outcome)))
}
