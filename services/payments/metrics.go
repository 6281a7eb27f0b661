package main

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/metric"

	"example.com/orderflow/pkg/telemetry"
)

// observe registers the metrics of unsettled payments. They are read from the database at each collection.
func (t *till) observe() {
	meter := telemetry.Meter()
	count, _ := meter.Int64ObservableGauge("payments_unsettled", metric.WithDescription("Payments that are not settled, by status."))
	oldest, _ := meter.Float64ObservableGauge("payments_oldest_unsettled", metric.WithUnit("s"), metric.WithDescription("How long the oldest of them has been in its status, by status."))
	telemetry.Gauges(func(ctx context.Context, o metric.Observer) error {
		all, err := countUnsettled(ctx, t.db)
		if err != nil {
			return err
		}
		now := t.now()
		for _, u := range all {
			status := telemetry.Label("status", string(u.Status))
			o.ObserveInt64(count, u.Count, status)
			o.ObserveFloat64(oldest, now.Sub(u.Oldest).Seconds(), status)
		}
		return nil
	}, count, oldest)
}

// count counts a call by its result: it succeeded, was declined, found nothing, had no effect (the provider did nothing), or is
// in doubt.
func (h *httpProvider) count(ctx context.Context, call string, op operation, err error) {
	outcome := op.Status
	switch {
	case errors.Is(err, errNoEffect):
		outcome = "no_effect"
	case err != nil:
		outcome = "unknown"
	case op == operation{}:
		outcome = "nothing"
	}
	h.calls.Count(ctx, 1, call, outcome)
}
