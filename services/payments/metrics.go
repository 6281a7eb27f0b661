package main

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"example.com/orderflow/pkg/messages"
)

const meterName = "orderflow/payments"

// observe registers the metrics of unsettled payments. They are read from the database at each collection.
func (t *till) observe() {
	meter := otel.Meter(meterName)
	count, _ := meter.Int64ObservableGauge("payments_unsettled", metric.WithDescription("Payments that are not settled, by status."))
	oldest, _ := meter.Float64ObservableGauge("payments_oldest_unsettled", metric.WithUnit("s"), metric.WithDescription("How long the oldest of them has been in its status."))
	_, _ = meter.RegisterCallback(func(ctx context.Context, o metric.Observer) error {
		all, err := countUnsettled(ctx, t.db)
		if err != nil {
			return err
		}
		now, age := t.now(), 0.0
		for _, u := range all {
			o.ObserveInt64(count, u.Count, metric.WithAttributes(attribute.String("status", string(u.Status))))
			age = max(age, now.Sub(u.Oldest).Seconds())
		}
		o.ObserveFloat64(oldest, age)
		return nil
	}, count, oldest)
}

func newIgnoredCounter() metric.Int64Counter {
	skipped, _ := otel.Meter(meterName).Int64Counter("payments_ignored_messages", metric.WithDescription("Messages that changed nothing: they came too late, or for the second time."))
	return skipped
}

// ignored counts and logs a message that changed nothing.
func (t *till) ignored(ctx context.Context, m messages.Message, in status) {
	t.skipped.Add(ctx, 1, metric.WithAttributes(attribute.String("kind", m.Kind())))
	t.log.InfoContext(ctx, "message changed nothing", "kind", m.Kind(), "order_id", m.Subject(), "status", in)
}

func newCallCounter() metric.Int64Counter {
	calls, _ := otel.Meter(meterName).Int64Counter("payments_provider_calls", metric.WithDescription("Calls of the payment provider, by call and outcome."))
	return calls
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
	h.calls.Add(ctx, 1, metric.WithAttributes(attribute.String("call", call), attribute.String("outcome", outcome)))
}
