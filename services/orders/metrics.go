package main

import (
	"context"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"example.com/orderflow/pkg/messages"
	"example.com/orderflow/pkg/postgres"
)

type meters struct {
	ignored metric.Int64Counter
}

func newMeters(db *postgres.DB) (m meters) {
	meter := otel.Meter("orderflow/orders")
	m.ignored, _ = meter.Int64Counter("orders_ignored_messages", metric.WithDescription("Messages that changed nothing: they came too late, or for the second time."))
	underWay, _ := meter.Int64ObservableGauge("orders_under_way", metric.WithDescription("Orders that are not final, by status."))
	attention, _ := meter.Int64ObservableGauge("orders_need_attention", metric.WithDescription("Orders that a person should look at."))
	_, _ = meter.RegisterCallback(func(ctx context.Context, o metric.Observer) error {
		counts, troubled, err := countOrders(ctx, db)
		if err != nil {
			return err
		}
		for s, n := range counts {
			o.ObserveInt64(underWay, n, metric.WithAttributes(attribute.String("status", string(s))))
		}
		o.ObserveInt64(attention, troubled)
		return nil
	}, underWay, attention)
	return m
}

// ignored counts and logs a message that changed nothing.
func (s *shop) ignored(ctx context.Context, m messages.Message, in status) {
	s.meters.ignored.Add(ctx, 1, metric.WithAttributes(attribute.String("kind", m.Kind())))
	s.log.InfoContext(ctx, "message changed nothing", "kind", m.Kind(), "order_id", m.Subject(), "status", in)
}
