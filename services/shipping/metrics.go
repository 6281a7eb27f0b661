package main

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"

	"example.com/orderflow/pkg/messages"
)

const meterName = "orderflow/shipping"

// observe registers the metrics of shipments under way. They are read from the database at each collection.
func (d *dock) observe() {
	meter := otel.Meter(meterName)
	count, _ := meter.Int64ObservableGauge("shipping_under_way", metric.WithDescription("Shipments that are not at their end, by status."))
	oldest, _ := meter.Float64ObservableGauge("shipping_oldest_without_progress", metric.WithUnit("s"), metric.WithDescription("How long one of them has been without progress, at most."))
	_, _ = meter.RegisterCallback(func(ctx context.Context, o metric.Observer) error {
		all, err := countUnderWay(ctx, d.db)
		if err != nil {
			return err
		}
		now, age := d.now(), 0.0
		for _, u := range all {
			o.ObserveInt64(count, u.Count, metric.WithAttributes(attribute.String("status", string(u.Status))))
			age = max(age, now.Sub(u.Oldest).Seconds())
		}
		o.ObserveFloat64(oldest, age)
		return nil
	}, count, oldest)
}

func newIgnoredCounter() metric.Int64Counter {
	skipped, _ := otel.Meter(meterName).Int64Counter("shipping_ignored_messages", metric.WithDescription("Messages that changed nothing: they came too late, or for the second time."))
	return skipped
}

// ignored counts and logs a message that changed nothing.
func (d *dock) ignored(ctx context.Context, m messages.Message, in status) {
	d.skipped.Add(ctx, 1, metric.WithAttributes(attribute.String("kind", m.Kind())))
	d.log.InfoContext(ctx, "message changed nothing", "kind", m.Kind(), "order_id", m.Subject(), "status", in)
}

func newCallCounter() metric.Int64Counter {
	calls, _ := otel.Meter(meterName).Int64Counter("shipping_carrier_calls", metric.WithDescription("Calls of the carrier, by call and outcome."))
	return calls
}

// count counts a call by its result: it told of a parcel, was refused, came too late, found nothing, had no effect (the carrier
// shipped nothing because of it), or is in doubt.
func (h *httpCarrier) count(ctx context.Context, call string, p parcel, err error) {
	outcome := "parcel"
	switch {
	case errors.Is(err, errNoEffect):
		outcome = "no_effect"
	case err != nil:
		outcome = "unknown"
	case p.Refused != "":
		outcome = "refused"
	case p.Kept:
		outcome = "too_late"
	case p.TrackingNumber == "":
		outcome = "nothing"
	}
	h.calls.Add(ctx, 1, metric.WithAttributes(attribute.String("call", call), attribute.String("outcome", outcome)))
}
