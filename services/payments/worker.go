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
		Do:     t.process,
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

// process works on a payment: it asks the provider, in no transaction, and records what comes of it in one.
func (t *till) process(ctx context.Context, c claim) error {
	ctx = c.Origin.Resume(ctx)
	op, err := t.ask(ctx, c)
	return errors.Join(err, t.record(ctx, c, op, err))
}

// ask has the provider do what a claim is about, or finds out that it is done. Whatever may have been asked for before, by
// a worker that has died or got no answer, is looked for first.
func (t *till) ask(ctx context.Context, c claim) (operation, error) {
	if c.Status == refunding {
		return t.askRefund(ctx, c)
	}
	if c.Before != nil {
		op, err := t.provider.findCharge(ctx, c.payment)
		if err != nil || op != (operation{}) {
			return op, err
		}
	}
	if c.Status == requested {
		return t.provider.charge(ctx, c.payment)
	}
	if clear := c.AskedAt.Add(t.inDoubtFor); t.now().Before(clear) {
		return operation{}, fmt.Errorf("given up order %s: no charge so far, that counts at %s", c.OrderID, clear.Format(time.RFC3339))
	}
	return operation{}, nil
}

// askRefund gives back what is left of a charge. What was given back before, by a worker that has died or by hand at the
// provider, is not left any more. If somebody else gives some back at the same moment, the provider refuses one of the two:
// then it is asked again what is left.
func (t *till) askRefund(ctx context.Context, c claim) (op operation, err error) {
	charge, err := t.provider.findCharge(ctx, c.payment)
	switch {
	case err != nil:
		return operation{}, err
	case charge.Status != operationSucceeded || charge.Amount <= 0:
		return operation{}, fmt.Errorf("refund order %s: %w: it does not know the charge", c.OrderID, errNoEffect)
	case charge.left() <= 0:
		return operation{ID: charge.RefundID, Status: operationSucceeded}, nil
	}
	op, err = t.provider.refund(ctx, c.payment, charge.left())
	if err == nil && op.Status != operationSucceeded {
		err = fmt.Errorf("refund of order %s is %s (%s)", c.OrderID, op.Status, op.Code)
	}
	return op, err
}

// record commits what the provider's answer to a claim makes of it, or the lack of an answer, together with what others record at the
// same time. What it sends was caused by the command that the payment obeys by now, which need not be the one that it obeyed
// when it was claimed.
func (t *till) record(ctx context.Context, c claim, op operation, failure error) error {
	return t.office.Do(ctx, unit.Decision[*work]{
		Name: func(w *work) { w.payments.Name(c.OrderID) },
		Make: func(w *work) error {
			p := w.of(c.OrderID)
			w.put(p.Origin, p.recorded(c, op, failure, w.now()))
			return nil
		},
	})
}

// recorded is what the provider's answer to a claim makes of it, or the lack of an answer.
func (p payment) recorded(c claim, op operation, failure error, now time.Time) outcome {
	if failure == nil {
		return p.apply(c, op, now)
	}
	again := now.Add(worker.Backoff(c.Attempts, againFirst, againMost))
	return p.unanswered(c, errors.Is(failure, errNoEffect), client.Clean(failure.Error()), now, again)
}
