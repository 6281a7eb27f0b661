package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/orderflow/pkg/client"
	"example.com/orderflow/pkg/unit"
	"example.com/orderflow/pkg/wait"
	"example.com/orderflow/pkg/worker"
)

const (
	workWithin = 20 * time.Second // for three calls of the carrier, 6 s each, and two transactions
	lease      = 30 * time.Second // longer than workWithin: when it ends, its worker is dead or frozen
)

// pace is how long to wait before the carrier is asked about a shipment again. The wait doubles while nothing changes or the
// carrier does not answer, and is short again after progress. A real carrier would call a webhook of ours; polling would then
// only find what a lost call has missed, and could always be slow.
type pace struct {
	Every time.Duration `env:"EVERY" envDefault:"2s"` // how long until the carrier is asked about a parcel again; it doubles while nothing changes
	Most  time.Duration `env:"MOST" envDefault:"30s"` // the longest such wait
}

// newWorker returns the worker that processes the shipments that need a call of their own, to ship them or call them back. The
// tracker follows the others.
func (d *dock) newWorker(slots uint) *worker.Worker[claim] {
	return &worker.Worker[claim]{
		Name:  "carrier",
		Log:   d.log,
		Slots: int(max(1, slots)),
		Claim: func(ctx context.Context, limit int) ([]claim, error) {
			return claimShipments(ctx, d.db, limit, d.now(), lease)
		},
		Do:     d.process,
		Within: workWithin,
	}
}

// leased returns the claim that claimShipments would make of the shipment.
func (s shipment) leased(now time.Time) claim {
	c := claim{shipment: s, Before: s.AskedAt}
	until := now.Add(lease)
	c.DueAt = &until
	c.Attempts++
	if c.ships() {
		c.AskedAt = &now
	}
	return c
}

// process works on a shipment: it calls the carrier outside a transaction, and then records the answer in one.
func (d *dock) process(ctx context.Context, c claim) (err error) {
	name := "carrier: ship"
	if c.CancelWanted {
		name = "carrier: call back"
	}
	ctx, span := c.Origin.Work(ctx, name, c.OrderID)
	defer func() { span.End(err) }()
	ctx = client.Witness(ctx)
	p, err := d.ask(ctx, c)
	return errors.Join(err, d.record(ctx, c, p, err))
}

// ask makes the carrier do what the claim needs. It first looks for a parcel that may have been asked for before, by a worker
// that died or got no answer.
func (d *dock) ask(ctx context.Context, c claim) (p parcel, err error) {
	switch {
	case c.TrackingNumber != "" && c.CancelWanted:
		return d.carrier.cancel(ctx, c.TrackingNumber)
	case c.Before != nil:
		p, err = d.carrier.find(ctx, c.OrderID)
	}
	clear := c.AskedAt.Add(d.inDoubtFor)
	switch {
	case err != nil:
		return parcel{}, err
	case p.TrackingNumber != "" && c.CancelWanted:
		return d.carrier.cancel(ctx, p.TrackingNumber)
	case p.TrackingNumber == "" && !c.CancelWanted:
		return d.carrier.ship(ctx, c.shipment)
	case p.TrackingNumber == "" && d.now().Before(clear):
		return parcel{}, fmt.Errorf("cancelled order %s: no parcel so far, that counts at %s", c.OrderID, clear.Format(time.RFC3339))
	}
	return p, nil
}

// record commits the outcome of an answer, or of a missing answer, together with what others record at the same time.
func (d *dock) record(ctx context.Context, c claim, p parcel, failure error) error {
	err := d.office.Do(ctx, c.outcome(ctx, p, failure))
	if err == nil && p.Kept && c.Status == cancelled {
		d.log.ErrorContext(ctx, astray, "order_id", c.OrderID, "tracking_number", p.TrackingNumber)
	}
	return err
}

// outcome is the decision for the carrier's answer to a claim, or for a missing answer. The cause of what it sends is the
// shipment's current origin, which may be a later command than when it was claimed.
func (c claim) outcome(ctx context.Context, p parcel, failure error) unit.Decision[*work] {
	return unit.Decision[*work]{
		Name: func(w *work) { w.shipments.Name(c.OrderID) },
		Make: func(w *work) error {
			s := w.of(c.OrderID)
			s.Calls = client.Attempts(ctx, s.Calls)
			w.put(s.Origin.Within(ctx), s.recorded(c, p, failure, w.now(), w.pace))
			return nil
		},
	}
}

// recorded returns the outcome of the carrier's answer to a claim; a failure means that there is none.
func (s shipment) recorded(c claim, p parcel, failure error, now time.Time, often pace) outcome {
	again := func(attempts int) time.Time {
		if c.followed() && attempts == c.Attempts { // without progress the tracker's claim has set it already
			return *c.DueAt
		}
		return now.Add(wait.After(attempts, often.Every, often.Most))
	}
	if failure == nil {
		return s.apply(c, p, now, again)
	}
	return s.unanswered(c, errors.Is(failure, errNoEffect), client.Clean(failure.Error()), now, again)
}
