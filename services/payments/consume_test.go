package main

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"example.com/orderflow/pkg/bus"
	"example.com/orderflow/pkg/messages"
)

func TestAPaymentsLifeByMessages(t *testing.T) {
	t.Parallel()
	f := newFixture(t, newLedger())
	order := uuid.NewString()
	for _, row := range []struct {
		m    messages.Message
		to   status
		said string // the answers; each message is delivered twice under one id, and once under another
	}{
		{take(order, "tok_visa"), taken, "taken 2598"},
		{take(order, "tok_visa"), taken, "taken 2598, taken 2598, taken 2598"},
		{refund(order), refunded, "taken 2598, taken 2598, taken 2598, refunded 2598"},
		{refund(order), refunded, "taken 2598, taken 2598, taken 2598, refunded 2598, refunded 2598, refunded 2598"},
	} {
		d := delivery(row.m)
		for _, err := range f.inbox.Handle(t.Context(), []bus.Delivery{d, delivery(row.m), d}) {
			if err != nil {
				t.Fatalf("%s: %v", row.m.Kind(), err)
			}
		}
		f.work()
		f.want(order, row.to, row.said)
	}
	if p := f.payment(order); p.ChargeID != "charge-"+order || p.RefundID != "refund-refund-"+order {
		t.Errorf("the provider's ids: %q, %q", p.ChargeID, p.RefundID)
	}
}

func TestAnAnswerNamesTheCommandThatItAnswers(t *testing.T) {
	t.Parallel()
	l := newLedger()
	f := newFixture(t, l)
	order := uuid.NewString()
	first, again, back, lateAgain := delivery(take(order, "tok_visa")), delivery(take(order, "tok_visa")), delivery(refund(order)), delivery(refund(order))
	handle := func(d bus.Delivery) {
		if err := f.inbox.Handle(t.Context(), []bus.Delivery{d})[0]; err != nil {
			t.Fatal(err)
		}
	}
	handle(first)
	handle(again) // no answer of its own: the first command will be answered
	f.till.provider = crash{l, false}
	f.work() // charged, but the answer is lost
	f.till.provider = l
	handle(back)
	f.work()
	handle(lateAgain)
	f.want(order, refunded, "refunded 2598, refunded 2598")

	other := uuid.NewString()
	taking := delivery(take(other, "tok_visa"))
	handle(taking)
	handle(delivery(take(other, "tok_visa")))
	f.work()
	f.want(other, taken, "taken 2598")

	third := f.ordered("tok_declined")
	claims, err := claimPayments(t.Context(), f.db, 1, f.till.now(), lease)
	if err != nil || len(claims) != 1 {
		t.Fatal(claims, err)
	}
	meanwhile := delivery(refund(third))
	handle(meanwhile)
	if err := f.till.process(t.Context(), claims[0]); err != nil {
		t.Fatal(err)
	}
	f.want(third, declined, "refunded 0")

	rows, err := f.db.Query(t.Context(), `SELECT causation_id FROM outbox ORDER BY id`)
	if err != nil {
		t.Fatal(err)
	}
	causes, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if want := []string{back.ID, lateAgain.ID, taking.ID, meanwhile.ID}; err != nil || !slices.Equal(causes, want) {
		t.Errorf("caused by %v, want %v, %v", causes, want, err)
	}
}

func TestADeclinedPaymentStaysDeclined(t *testing.T) {
	t.Parallel()
	f := newFixture(t, newLedger())
	order := f.ordered("tok_declined")
	f.work()
	f.want(order, declined, "declined card_declined")
	f.receive(take(order, "tok_declined"), refund(order))
	f.work()
	f.want(order, declined, "declined card_declined, declined card_declined, refunded 0")
}

func TestARefundThatOvertakesItsPaymentPreventsIt(t *testing.T) {
	t.Parallel()
	l := newLedger()
	f := newFixture(t, l)
	order := uuid.NewString()
	f.receive(refund(order))
	f.want(order, withdrawn, "refunded 0")
	f.receive(take(order, "tok_visa"))
	f.work()
	f.want(order, withdrawn, "refunded 0, refunded 0")
	if p := f.payment(order); p.Amount != amount || l.posts(order) != 0 {
		t.Errorf("it is about %v, the provider was asked %d times", p.Amount, l.posts(order))
	}
}

// In any order of arrival, and whether the worker runs before, between or after them: in the end nothing is charged.
func TestAPaymentAndItsRefundInAnyOrderEndTheSame(t *testing.T) {
	t.Parallel()
	l := newLedger()
	f := newFixture(t, l)
	for mask := range 1 << 4 {
		order := uuid.NewString()
		msgs := []messages.Message{take(order, "tok_visa"), refund(order)}
		if mask&1 != 0 {
			slices.Reverse(msgs)
		}
		for i, m := range append(msgs, take(order, "tok_visa")) {
			f.receive(m)
			if mask&(2<<i) != 0 {
				f.work()
			}
		}
		f.work()
		if p := f.payment(order); l.balance(order) != 0 || p.DueAt != nil || p.Amount != amount {
			t.Errorf("%04b: %s, balance %d", mask, p.Status, l.balance(order))
		}
	}
}

func TestACommandThatContradictsOrIsAboutNoOrderIsRejected(t *testing.T) {
	t.Parallel()
	f := newFixture(t, newLedger())
	order := f.ordered("tok_visa")
	f.work()
	dearer := take(order, "tok_visa")
	dearer.Amount.Amount++
	for _, m := range []messages.Message{dearer, take("no-uuid", "tok_visa"), refund("no-uuid"), messages.TakePayment{OrderID: uuid.NewString()}} {
		errs := f.inbox.Handle(t.Context(), []bus.Delivery{delivery(m), delivery(take(order, "tok_visa"))})
		if !bus.Rejected(errs[0]) || errs[1] != nil {
			t.Errorf("%+v: %v", m, errs)
		}
	}
	f.want(order, taken, "taken 2598, taken 2598, taken 2598, taken 2598, taken 2598")
}

func TestCommandsOfOneOrderAtTheSameTimeMakeOnePayment(t *testing.T) {
	t.Parallel()
	l := newLedger()
	f := newFixture(t, l)
	order := uuid.NewString()
	results := make(chan error, 20)
	for i := range cap(results) { // as replicas do that receive commands of one order under different ids
		go func() {
			var m messages.Message = take(order, "tok_visa")
			if i%2 == 1 {
				m = refund(order)
			}
			d := delivery(m)
			for range 10 { // the bus redelivers after a failure
				if err := f.inbox.Handle(context.Background(), []bus.Delivery{d})[0]; err == nil {
					results <- nil
					return
				}
			}
			results <- fmt.Errorf("%s is never handled", m.Kind())
		}()
	}
	for range cap(results) {
		if err := <-results; err != nil {
			t.Error(err)
		}
	}
	f.work()
	if p := f.payment(order); l.balance(order) != 0 || p.DueAt != nil {
		t.Errorf("%s, balance %d", p.Status, l.balance(order))
	}
}
