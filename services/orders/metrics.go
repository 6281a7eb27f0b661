package main

import (
	"context"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"example.com/orderflow/pkg/messages"
)

const meterName = "orderflow/orders"

// observe registers the metrics of orders under way. They are read from the database at each collection.
func (s *shop) observe() {
	meter := otel.Meter(meterName)
	count, _ := meter.Int64ObservableGauge("orders_under_way", metric.WithDescription("Orders that are not final, by status."))
	attention, _ := meter.Int64ObservableGauge("orders_need_attention", metric.WithDescription("Orders that a person should look at."))
	_, _ = meter.RegisterCallback(func(ctx context.Context, o metric.Observer) error {
		all, troubled, err := countOrders(ctx, s.db)
		if err != nil {
			return err
		}
		for in, n := range all {
			o.ObserveInt64(count, n, metric.WithAttributes(attribute.String("status", string(in))))
		}
		o.ObserveInt64(attention, troubled)
		return nil
	}, count, attention)
}

func newIgnoredCounter() metric.Int64Counter {
	skipped, _ := otel.Meter(meterName).Int64Counter("orders_ignored_messages", metric.WithDescription("Messages that changed nothing: they came too late, or for the second time."))
	return skipped
}

// ignored counts and logs a message that changed nothing.
func (s *shop) ignored(ctx context.Context, m messages.Message, in status) {
	s.skipped.Add(ctx, 1, metric.WithAttributes(attribute.String("kind", m.Kind())))
	s.log.InfoContext(ctx, "message changed nothing", "kind", m.Kind(), "order_id", m.Subject(), "status", in)
}
