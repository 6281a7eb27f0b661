package main

import (
	"context"
	"errors"
	"testing"
	"time"
)

// crash is a provider whose caller dies right before or right after a call.
type crash struct {
	*ledger
	before bool
}

var errCrash = errors.New("crash")

func (c crash) charge(ctx context.Context, p payment) (operation, error) {
	if !c.before {
		_, _ = c.ledger.charge(ctx, p)
	}
	return operation{}, errCrash
}

func (c crash) refund(ctx context.Context, p payment, amount int64) (operation, error) {
	if !c.before {
		_, _ = c.ledger.refund(ctx, p, amount)
	}
	return operation{}, errCrash
}

// overtaken is a provider at which a person refunds a part between the question and the refund.
type overtaken struct {
	*ledger
	part int64
}

func (o overtaken) refund(ctx context.Context, p payment, amount int64) (operation, error) {
	if _, err := o.giveBack(p.chargeKey(), "by hand", o.part); err != nil {
		return operation{}, err
	}
	return o.ledger.refund(ctx, p, amount)
}

// die claims the payment that is due, makes the call, and dies before it records the answer.
func (f *fixture) die(l *ledger, before bool) {
	f.Helper()
	f.till.provider = crash{l, before}
	claims, err := claimPayments(context.Background(), f.db, 1, f.till.now(), lease)
	if err != nil || len(claims) != 1 {
		f.Fatalf("%d claims, %v", len(claims), err)
	}
	if _, err := f.till.ask(context.Background(), claims[0]); !errors.Is(err, errCrash) {
		f.Fatal(err)
	}
	f.till.provider = l
}

// pass advances the clock.
func (f *fixture) pass(d time.Duration) {
	now := f.till.now
	f.till.now = func() time.Time { return now().Add(d) }
}

func TestACrashBetweenCallAndRecordDoesNothingTwice(t *testing.T) {
	t.Parallel()
	for _, before := range []bool{true, false} {
		l := newLedger()
		f := newFixture(t, l)
		order := f.ordered("tok_visa")
		f.die(l, before)
		f.work()
		f.want(order, requested, "") // leased
		f.pass(lease)
		f.work()
		f.want(order, taken, "taken 2598")

		f.receive(refund(order))
		f.die(l, before)
		f.work()
		f.want(order, refunding, "taken 2598")
		f.pass(lease)
		f.work()
		f.want(order, refunded, "taken 2598, refunded 2598")
		if c := l.charges[order]; c.Amount != 2598 || c.Refunded != 2598 || l.posts(order) != 1 || l.posts("refund-"+order) != 1 {
			t.Errorf("crashed before the call: %t: %+v", before, l)
		}
	}
}

func TestAPaymentGivenUpAfterACrashIsWithdrawnWhenItIsNoLongerInDoubt(t *testing.T) {
	t.Parallel()
	l := newLedger()
	f := newFixture(t, l)
	order := f.ordered("tok_visa")
	f.die(l, true)
	f.receive(refund(order))
	f.work()
	f.want(order, withdrawing, "") // a request of the dead worker may still be on its way
	f.pass(inDoubtFor - 2*time.Second)
	f.work()
	f.want(order, withdrawing, "")
	f.pass(againMost)
	f.work()
	f.want(order, withdrawn, "refunded 0")
	if l.posts(order) != 0 {
		t.Error("it was charged")
	}
}
