package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"example.com/orderflow/pkg/postgres"
	"example.com/orderflow/pkg/testkit"
)

func newBankFixture(t *testing.T) (*fixture, *bank) {
	b := newBank(t)
	return newFixture(t, httpProviderAt(t, b.URL+"/provider")), b
}

// run runs the worker of the fixture's till, as run does.
func (f *fixture) run() { testkit.Go(f.T, f.till.worker.Run) }

func (f *fixture) until(order string, s status) {
	f.Helper()
	testkit.Until(f.T, fmt.Sprintf("the payment is %s", s), func() bool { return f.payment(order).Status == s })
}

func TestTheWorkerSettlesEveryKindOfCard(t *testing.T) {
	t.Parallel()
	f, b := newBankFixture(t)
	f.run()
	for _, row := range []struct {
		method string
		to     status
		said   string
		cost   int64
	}{
		{"tok_visa", taken, "taken 2598", 2598},
		{"tok_declined", declined, "declined card_declined", 0},
		{"tok_flaky", taken, "taken 2598", 2598},
		{"tok_timeout", taken, "taken 2598", 2598},
		{"tok_reset", taken, "taken 2598", 2598},
	} {
		begun := time.Now()
		order := f.ordered(row.method)
		f.until(order, row.to)
		f.want(order, row.to, row.said)
		if n := b.posts(order); n != 1 || b.balance(order) != row.cost {
			t.Errorf("%s: charged by %d requests, costs %d: what may have been done is looked for, not done again", row.method, n, b.balance(order))
		}
		t.Logf("%s took %s", row.method, time.Since(begun).Round(time.Millisecond))
	}
}

func TestAPaymentGivenUpInTheMiddleOfItsChargeIsGivenBack(t *testing.T) {
	t.Parallel()
	f, b := newBankFixture(t)
	f.till.provider = httpProviderAt(t, b.URL+"/provider")
	f.run()
	order := f.ordered("tok_held")
	<-b.inHand
	f.receive(refund(order))
	f.want(order, withdrawing, "") // the answer to the refund waits for the charge
	close(b.letGo)
	f.until(order, refunded)
	f.want(order, refunded, "refunded 2598")
	if b.balance(order) != 0 || b.posts("refund-"+order) != 1 {
		t.Errorf("balance %d, %d refunds", b.balance(order), b.posts("refund-"+order))
	}
}

// The transactions of the command and of the charge run in the database at the same time.
func TestAChargeThatIsRecordedWhileThePaymentIsGivenUpIsGivenBack(t *testing.T) {
	t.Parallel()
	l := newLedger()
	f := newFixture(t, l)
	order := f.ordered("tok_visa")
	claims, err := claimPayments(t.Context(), f.db, 1, f.till.now(), lease)
	if err != nil || len(claims) != 1 {
		t.Fatal(claims, err)
	}
	recorded := make(chan error, 1)
	err = f.db.Tx(t.Context(), func(tx *postgres.Tx) error {
		w := f.till.work()
		w.About(refund(order))
		if err := w.Load(t.Context(), tx); err != nil {
			return err
		}
		if err := errors.Join(refundPayment(t.Context(), w, refund(order)), w.Save(t.Context(), tx)); err != nil {
			return err
		}
		go func() { recorded <- f.till.process(context.Background(), claims[0]) }()
		testkit.Until(t, "the other transaction waits for this one", func() bool {
			var waiting bool
			err := f.db.QueryRow(t.Context(), `
				SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock')`).Scan(&waiting)
			return err != nil || waiting
		})
		return nil
	})
	if err := errors.Join(err, <-recorded); err != nil {
		t.Fatal(err)
	}
	f.work()
	f.want(order, refunded, "refunded 2598")
	if l.balance(order) != 0 {
		t.Errorf("balance %d", l.balance(order))
	}
}

func TestAPaymentGivenUpAfterAnAnswerWasLostIsGivenBack(t *testing.T) {
	t.Parallel()
	f, b := newBankFixture(t)
	order := f.ordered("tok_reset")
	f.work()
	f.want(order, requested, "") // charged, but the answer was lost
	f.receive(refund(order))
	f.want(order, withdrawing, "")
	f.work()
	f.want(order, refunded, "refunded 2598")
	if b.balance(order) != 0 {
		t.Errorf("balance %d", b.balance(order))
	}
}

func TestAPaymentGivenUpWhileTheProviderIsAwayIsWithdrawnAtOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t, httpProviderAt(t, "http://127.0.0.1:1"))
	order := f.ordered("tok_visa")
	f.work()
	if p := f.payment(order); p.Status != requested || p.AskedAt != nil || p.LastError == "" || !p.DueAt.After(f.till.now()) {
		t.Errorf("%+v", p)
	}
	f.receive(refund(order))
	f.want(order, withdrawn, "refunded 0")
}

func TestAProviderThatIsAwayIsAskedAgainForEver(t *testing.T) {
	t.Parallel()
	f, b := newBankFixture(t)
	away, back := httpProviderAt(t, "http://127.0.0.1:1"), f.till.provider
	f.till.provider = away
	order := f.ordered("tok_visa")
	for i := range 12 {
		f.work()
		if p := f.payment(order); p.Attempts != i+1 || p.DueAt.Sub(f.till.now()) > againMost {
			t.Fatalf("attempt %d: %+v", i+1, p)
		}
		f.pass(againMost)
	}
	f.till.provider = back
	f.work()
	f.want(order, taken, "taken 2598")

	f.receive(refund(order))
	f.till.provider = away
	f.work()
	f.want(order, refunding, "taken 2598")
	f.till.provider = back
	f.pass(againMost)
	f.work()
	f.want(order, refunded, "taken 2598, refunded 2598")
	if b.balance(order) != 0 {
		t.Errorf("balance %d", b.balance(order))
	}
}

func TestReplicasOnOneDatabaseDoNothingTwice(t *testing.T) {
	t.Parallel()
	f, b := newBankFixture(t)
	for range 3 {
		f.run()
	}
	var orders sync.Map
	var ordering sync.WaitGroup
	for range 4 {
		ordering.Go(func() {
			for range 25 {
				orders.Store(f.ordered("tok_visa"), true)
			}
		})
	}
	ordering.Wait()
	n := 0
	for id := range orders.Range {
		n++
		order := id.(string)
		f.until(order, taken)
		f.want(order, taken, "taken 2598")
		if b.posts(order) != 1 {
			t.Errorf("charged by %d requests", b.posts(order))
		}
	}
	if n != 100 {
		t.Errorf("%d orders", n)
	}
}

func TestALeaseThatAnotherHasTakenOverIsNotShortened(t *testing.T) {
	t.Parallel()
	f := newFixture(t, newLedger())
	order := f.ordered("tok_visa")
	slow, err := claimPayments(t.Context(), f.db, 1, f.till.now(), lease)
	if err != nil || len(slow) != 1 {
		t.Fatal(slow, err)
	}
	f.pass(lease)
	if quick, err := claimPayments(t.Context(), f.db, 1, f.till.now(), lease); err != nil || len(quick) != 1 || !quick[0].Before.Equal(*slow[0].AskedAt) {
		t.Fatal(quick, err)
	}
	if err := f.till.record(t.Context(), slow[0], operation{}, errCrash); err != nil {
		t.Fatal(err)
	}
	if p := f.payment(order); p.LastError != "" || p.DueAt.Before(f.till.now().Add(lease-time.Second)) {
		t.Errorf("%+v", p)
	}
}
