package main

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/metric"

	"example.com/orderflow/pkg/telemetry"
)

// observe registers the metrics of shipments under way. They are read from the database at each collection.
func (d *dock) observe() {
	meter := telemetry.Meter()
	count, _ := meter.Int64ObservableGauge("shipping_under_way", metric.WithDescription("Shipments that are not at their end, by status."))
	oldest, _ := meter.Float64ObservableGauge("shipping_oldest_without_progress", metric.WithUnit("s"), metric.WithDescription("How long one of them has been without progress at most, by status."))
	telemetry.Gauges(func(ctx context.Context, o metric.Observer) error {
		all, err := countUnderWay(ctx, d.db)
		if err != nil {
			return err
		}
		now := d.now()
		for _, u := range all {
			status := telemetry.Label("status", string(u.Status))
			o.ObserveInt64(count, u.Count, status)
			o.ObserveFloat64(oldest, now.Sub(u.Oldest).Seconds(), status)
		}
		return nil
	}, count, oldest)
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
	h.calls.Count(ctx, 1, call, outcome)
}
