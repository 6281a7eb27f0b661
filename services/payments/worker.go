package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/orderflow/pkg/client"
	"example.com/orderflow/pkg/unit"
	"example.com/orderflow/pkg/worker"
)

const (
	workWithin = 20 * time.Second // for two calls of the provider, 8 s each, and two transactions
	lease      = 30 * time.Second // longer than workWithin: then whoever had it is dead, or frozen

	againFirst = 250 * time.Millisecond
	againMost  = 30 * time.Second
)

// newWorker returns what sees to the payments that are due.
func (t *till) newWorker(slots uint) *worker.Worker[claim] {
	return &worker.Worker[claim]{
		Name:  "provider",
		Log:   t.log,
		Slots: int(max(1, slots)),
		Claim: func(ctx context.Context, limit int) ([]claim, error) {
			return claimPayments(ctx, t.db, limit, t.now(), lease)
		},
		Do:     t.see,
		Within: workWithin,
	}
}

// leased is what claimPayments makes of a payment.
func (p payment) leased(now time.Time) claim {
	c := claim{payment: p, Before: p.AskedAt}
	until := now.Add(lease)
	c.DueAt = &until
	c.Attempts++
	if p.Status != withdrawing {
		c.AskedAt = &now
	}
	return c
}

// see sees to a payment: it asks the provider, in no transaction, and records what comes of it in one.
func (t *till) see(ctx context.Context, c claim) error {
	ctx = c.Origin.Resume(ctx)
	d, err := t.ask(ctx, c)
	return errors.Join(err, t.record(ctx, c, d, err))
}

// ask has the provider do what a claim is about, or finds out that it is done. Whatever may have been asked for before, by
// a worker that has died or got no answer, is looked for first.
func (t *till) ask(ctx context.Context, c claim) (deed, error) {
	if c.Status == refunding {
		return t.askRefund(ctx, c)
	}
	if c.Before != nil {
		d, err := t.provider.findCharge(ctx, c.payment)
		if err != nil || d != (deed{}) {
			return d, err
		}
	}
	if c.Status == requested {
		return t.provider.charge(ctx, c.payment)
	}
	if certain := c.AskedAt.Add(t.certainAfter); t.now().Before(certain) {
		return deed{}, fmt.Errorf("given up order %s: no charge so far, that counts at %s", c.OrderID, certain.Format(time.RFC3339))
	}
	return deed{}, nil
}

// askRefund gives back what is left of a charge. What was given back before, by a worker that has died or by hand at the
// provider, is not left any more. If somebody else gives some back at the same moment, the provider refuses one of the two:
// then it is asked again what is left.
func (t *till) askRefund(ctx context.Context, c claim) (d deed, err error) {
	charge, err := t.provider.findCharge(ctx, c.payment)
	switch {
	case err != nil:
		return deed{}, err
	case charge.Status != deedSucceeded || charge.Amount <= 0:
		return deed{}, fmt.Errorf("refund order %s: %w: it does not know the charge", c.OrderID, errIdle)
	case charge.left() <= 0:
		return deed{ID: charge.RefundID, Status: deedSucceeded}, nil
	}
	d, err = t.provider.refund(ctx, c.payment, charge.left())
	if err == nil && d.Status != deedSucceeded {
		err = fmt.Errorf("refund of order %s is %s (%s)", c.OrderID, d.Status, d.Code)
	}
	return d, err
}

// record has the turn committed that the provider's answer brings, or the lack of one, together with what others record at the
// same time. What it sends was caused by the command that the payment obeys by now, which need not be the one that it obeyed
// when it was claimed.
func (t *till) record(ctx context.Context, c claim, d deed, failure error) error {
	return t.office.Do(ctx, unit.Decision[*work]{
		Name: func(w *work) { w.payments.Name(c.OrderID) },
		Make: func(w *work) error {
			p := w.of(c.OrderID)
			w.take(p.Origin, p.recorded(c, d, failure, w.now()))
			return nil
		},
	})
}

// recorded is the turn of a claim: the provider's answer, or the lack of one.
func (p payment) recorded(c claim, d deed, failure error, now time.Time) turn {
	if failure == nil {
		return p.hear(c, d, now)
	}
	again := now.Add(worker.Backoff(c.Attempts, againFirst, againMost))
	return p.failed(c, errors.Is(failure, errIdle), client.Clean(failure.Error()), now, again)
}
