package main

import (
	"cmp"
	"context"
	"reflect"
	"time"

	"example.com/orderflow/pkg/failpoint"
	"example.com/orderflow/pkg/unit"
)

const (
	trackEvery = 500 * time.Millisecond // what is due meanwhile is asked about together
	trackPause = 2 * time.Second        // after an error of the carrier or of the database
)

// track follows the parcels that are on their way, until ctx ends. It is a part of the program, and replicas may do it side by
// side: what one has claimed is due for the others only when the carrier should be asked again.
func (d *dock) track(ctx context.Context) error {
	for ctx.Err() == nil {
		pause := trackEvery
		n, err := d.look(ctx)
		switch {
		case err != nil:
			d.log.WarnContext(ctx, "cannot track parcels", "error", err, "again_in", trackPause)
			pause = trackPause
		case n == unit.Most: // there are more
			pause = 0
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
	return nil
}

// look asks the carrier about a number of parcels in one call, those first that are due first. Only what is new is written down:
// the claim has already said when the others are due again. A call that fails is news, too, unless it is the trouble that they had.
func (d *dock) look(ctx context.Context) (n int, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), workWithin)
	defer cancel()
	claims, err := claimFollowed(ctx, d.db, unit.Most, d.now(), d.pace)
	if err != nil || len(claims) == 0 {
		return 0, err
	}
	numbers := make([]string, len(claims))
	for i, c := range claims {
		numbers[i] = c.TrackingNumber
	}
	found, err := d.carrier.track(ctx, numbers...)
	var news []unit.Decision[*work]
	for _, c := range claims {
		p, failure := found.of(c.TrackingNumber)
		failure = cmp.Or(err, failure)
		if t := c.recorded(c, p, failure, d.now(), d.pace); reflect.DeepEqual(t.shipment, c.shipment) {
			continue
		}
		if err == nil && failure != nil {
			d.log.WarnContext(c.Origin.Resume(ctx), "parcel not tracked", "order_id", c.OrderID, "error", failure)
		}
		news = append(news, c.outcome(p, failure))
	}
	if len(news) > 0 {
		failpoint.At("shipping.tracked")
	}
	for _, failed := range d.office.Decide(ctx, news) {
		err = cmp.Or(failed, err)
	}
	return len(claims), err
}
