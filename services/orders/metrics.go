package main

import (
	"context"

	"go.opentelemetry.io/otel/metric"

	"example.com/orderflow/pkg/telemetry"
)

// observe registers the metrics of orders under way. They are read from the database at each collection.
func (s *shop) observe() {
	meter := telemetry.Meter()
	count, _ := meter.Int64ObservableGauge("orders_under_way", metric.WithDescription("Orders that are not final, by status."))
	oldest, _ := meter.Float64ObservableGauge("orders_oldest_without_progress", metric.WithUnit("s"), metric.WithDescription("How long one of them has been without progress at most, by status."))
	attention, _ := meter.Int64ObservableGauge("orders_need_attention", metric.WithDescription("Orders that a person should look at."))
	telemetry.Gauges(func(ctx context.Context, o metric.Observer) error {
		all, troubled, err := countOrders(ctx, s.db)
		if err != nil {
			return err
		}
		now := s.now()
		for _, u := range all {
			status := telemetry.Label("status", string(u.Status))
			o.ObserveInt64(count, u.Count, status)
			o.ObserveFloat64(oldest, now.Sub(u.Oldest).Seconds(), status)
		}
		o.ObserveInt64(attention, troubled)
		return nil
	}, count, oldest, attention)
}

// inStatesFor are the buckets of the time that orders spend in a state: from the answer of another service to days of waiting.
var inStatesFor = []float64{0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 3600, 6 * 3600, 24 * 3600, 72 * 3600}

func newStateTimes() *telemetry.Histogram {
	return telemetry.NewHistogram("orders_state_duration", "s", "How long orders were in a state of the saga when they left it.", inStatesFor, "status")
}

// measure measures the stays that a unit of work has ended, once it is committed.
func (s *shop) measure(ended []stay) {
	for _, e := range ended {
		s.inStates.Measure(e.ctx, e.took.Seconds(), string(e.in))
	}
}
