package main

import (
	"cmp"
	"context"
	"reflect"
	"time"

	"example.com/orderflow/pkg/failpoint"
	"example.com/orderflow/pkg/telemetry"
	"example.com/orderflow/pkg/unit"
	"example.com/orderflow/pkg/worker"
)

const (
	trackEvery = 500 * time.Millisecond // parcels that become due in between share one call
	trackPause = 2 * time.Second        // after an error of the carrier or the database
)

// tracker follows the parcels that are on their way. A shipment that one replica has claimed is due for the others only when
// the carrier should be asked again.
func (d *dock) tracker() worker.Watch {
	return worker.Watch{For: "parcels", Log: d.log, Every: trackEvery, Pause: trackPause, Most: unit.Most, Look: d.look}
}

// look asks the carrier about a batch of parcels in one call, those first that are due first. It writes only changes: for the
// other parcels, the claim has set already when they are due again. A failed call is also recorded, unless it fails in the same
// way as the one before.
func (d *dock) look(ctx context.Context) (n int, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), workWithin)
	defer cancel()
	claims, err := claimFollowed(ctx, d.db, unit.Most, d.now(), d.pace)
	if err != nil || len(claims) == 0 {
		return 0, err
	}
	ctx, whole := telemetry.Batch(ctx, "track parcels", len(claims), func(i int) string { return claims[i].Origin.TraceParent })
	defer func() { whole.End(err) }()
	numbers := make([]string, len(claims))
	for i, c := range claims {
		numbers[i] = c.TrackingNumber
	}
	found, err := d.carrier.track(ctx, numbers...)
	var learned []unit.Decision[*work]
	var spans []telemetry.Span
	for _, c := range claims {
		p, failure := found.of(c.TrackingNumber)
		failure = cmp.Or(err, failure)
		if t := c.recorded(c, p, failure, d.now(), d.pace); reflect.DeepEqual(t.shipment, c.shipment) {
			continue
		}
		if err == nil && failure != nil {
			d.log.WarnContext(c.Origin.Resume(ctx), "parcel not tracked", "order_id", c.OrderID, "error", failure)
		}
		inTrace, span := c.Origin.Work(ctx, "carrier: progress", c.OrderID)
		spans = append(spans, span)
		learned = append(learned, c.outcome(inTrace, p, failure))
	}
	if len(learned) > 0 {
		failpoint.At("shipping.tracked")
	}
	for i, failed := range d.office.Decide(ctx, learned) {
		spans[i].End(failed)
		err = cmp.Or(failed, err)
	}
	return len(claims), err
}
