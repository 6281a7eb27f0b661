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
	workWithin = 20 * time.Second // for two calls of the provider, 8 s each, and two transactions
	lease      = 30 * time.Second // longer than workWithin: when it ends, its worker is dead or frozen

	againFirst = 250 * time.Millisecond
	againMost  = 30 * time.Second
)

// newWorker returns the worker that processes the payments that are due.
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

// leased returns the claim that claimPayments would make of the payment.
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

// process works on a payment: it calls the provider outside a transaction, and then records the answer in one.
func (t *till) process(ctx context.Context, c claim) (err error) {
	ctx, span := c.Origin.Work(ctx, "provider: "+string(c.Status), c.OrderID)
	defer func() { span.End(err) }()
	ctx = client.Witness(ctx)
	op, err := t.ask(ctx, c)
	return errors.Join(err, t.record(ctx, c, op, err))
}

// ask makes the provider do what the claim needs, or finds that it is done already. It first looks for a charge that may have
// been made before, by a worker that died or got no answer.
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

// askRefund refunds the rest of a charge: a worker that died, or a person at the provider, may have refunded some of it before.
// If a person refunds some at the same moment, the provider refuses one of the two refunds, and the next attempt asks again
// what is left.
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

// record commits the outcome of an answer, or of a missing answer, together with what others record at the same time. The cause
// of what it sends is the payment's current origin, which may be a later command than when it was claimed.
func (t *till) record(ctx context.Context, c claim, op operation, failure error) error {
	return t.office.Do(ctx, unit.Decision[*work]{
		Name: func(w *work) { w.payments.Name(c.OrderID) },
		Make: func(w *work) error {
			p := w.of(c.OrderID)
			p.Calls = client.Attempts(ctx, p.Calls)
			w.put(p.Origin.Within(ctx), p.recorded(c, op, failure, w.now()))
			return nil
		},
	})
}

// recorded returns the outcome of the provider's answer to a claim; a failure means that there is none.
func (p payment) recorded(c claim, op operation, failure error, now time.Time) outcome {
	if failure == nil {
		return p.apply(c, op, now)
	}
	again := now.Add(wait.After(c.Attempts, againFirst, againMost))
	return p.unanswered(c, errors.Is(failure, errNoEffect), client.Clean(failure.Error()), now, again)
}
