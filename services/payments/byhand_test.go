package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"example.com/orderflow/pkg/identity"
)

// Payments does not refund again what a person has refunded at the provider. It refunds the rest.
func TestARefundByHandIsNotMadeAgain(t *testing.T) {
	t.Parallel()
	f, b := newBankFixture(t)
	for _, row := range []struct {
		what   string
		byHand []int64
		refund string // prefix of the id of our refund; empty: there is none
	}{
		{"nothing", nil, "refund-refund-"},
		{"all of it", []int64{2598}, ""},
		{"a part", []int64{600}, "refund-refund-"},
		{"all of it, in parts", []int64{600, 1998}, ""},
	} {
		order := f.ordered("tok_visa")
		f.work()
		for i, part := range row.byHand {
			if _, err := b.giveBack(order, fmt.Sprintf("by hand %d", i), part); err != nil {
				t.Fatal(err)
			}
		}
		f.receive(refund(order))
		f.work()
		f.want(order, refunded, "taken 2598, refunded 2598")
		p := f.payment(order)
		if b.balance(order) != 0 || !strings.HasPrefix(p.RefundID, row.refund) || (p.RefundID == "") != (row.refund == "") {
			t.Errorf("%s: %d left, refund %q", row.what, b.balance(order), p.RefundID)
		}
	}
}

func TestARefundByHandThatOvertakesOursIsFound(t *testing.T) {
	t.Parallel()
	l := newLedger()
	f := newFixture(t, l)
	for _, part := range []int64{600, 2598} {
		order := f.ordered("tok_visa")
		f.work()
		f.receive(refund(order))
		f.till.provider = overtaken{l, part}
		f.work()
		f.want(order, refunding, "taken 2598")
		f.till.provider = l
		f.pass(againMost)
		f.work()
		f.want(order, refunded, "taken 2598, refunded 2598")
		if l.balance(order) != 0 {
			t.Errorf("%d by hand at the same moment: %d left", part, l.balance(order))
		}
	}
}

func TestACrashAfterTheRestWasRefundedRefundsNothingTwice(t *testing.T) {
	t.Parallel()
	l := newLedger()
	f := newFixture(t, l)
	order := f.ordered("tok_visa")
	f.work()
	if _, err := l.giveBack(order, "by hand", 600); err != nil {
		t.Fatal(err)
	}
	f.receive(refund(order))
	f.die(l, false)
	f.pass(lease)
	f.work()
	f.want(order, refunded, "taken 2598, refunded 2598")
	if p := f.payment(order); p.RefundID != "refund-refund-"+order+"-1998" || len(l.refunds[order]) != 2 {
		t.Errorf("refund %q of %v", p.RefundID, l.refunds[order])
	}
}

func TestAChargeRefundedByHandBeforeItIsKnownIsNoPayment(t *testing.T) {
	t.Parallel()
	f, b := newBankFixture(t)
	for _, row := range []struct {
		part int64
		to   status
		said string
	}{
		{2598, refunded, "refunded 2598"},
		{600, taken, "taken 2598"}, // a partial refund by hand
	} {
		order := f.ordered("tok_reset")
		f.work()
		f.want(order, requested, "")
		if _, err := b.giveBack(order, "by hand", row.part); err != nil {
			t.Fatal(err)
		}
		f.pass(againMost)
		f.work()
		f.want(order, row.to, row.said)
	}
}

func TestAnOperatorSettlesWhatTheProviderDoesNot(t *testing.T) {
	t.Parallel()
	l := newLedger()
	f := newFixture(t, l)
	order := f.ordered("tok_visa")
	f.work()
	settle := func(want int, body string) (p paymentBody) {
		t.Helper()
		status, header, answer := f.call(http.MethodPost, "/api/payments/"+order+"/settlement", body, identity.ScopeOperations)
		if status != want {
			t.Fatalf("%d %s, want %d", status, answer, want)
		}
		if status == http.StatusOK && (json.Unmarshal(answer, &p) != nil || header.Get("Cache-Control") != "no-store") {
			t.Errorf("%v %s", header, answer)
		}
		return p
	}
	const why = `{"reason":"repaid by bank transfer"}`
	settle(http.StatusConflict, why) // a payment that is taken cannot be settled
	f.receive(refund(order))
	settle(http.StatusConflict, why) // no attempt to refund has failed yet
	delete(l.charges, order)
	f.work()
	if p := f.payment(order); p.Status != refunding || !strings.Contains(p.LastError, "does not know the charge") {
		t.Fatalf("%+v", p)
	}
	settle(http.StatusUnprocessableEntity, `{"reason":""}`)
	settle(http.StatusBadRequest, `{`)
	f.want(order, refunding, "taken 2598")

	p := settle(http.StatusOK, `{"reason":" repaid by\u200b bank transfer\u00a0"}`)
	if s := p.Settlement; p.Status != refunded || s == nil || s.Operator != "olga" || s.Reason != "repaid by bank transfer" || p.NextAttemptAt != nil {
		t.Errorf("%+v", p)
	}
	again := settle(http.StatusOK, `{"reason":"another one"}`)
	if *again.Settlement != *p.Settlement {
		t.Errorf("settled again: %+v", again.Settlement)
	}
	f.want(order, refunded, "taken 2598, refunded 2598 by olga: repaid by bank transfer")
	f.receive(refund(order)) // orders asks again, because it has not received the answer
	f.want(order, refunded, "taken 2598, refunded 2598 by olga: repaid by bank transfer, refunded 2598 by olga: repaid by bank transfer")
}

// What the provider was asked and has answered is kept with the payment, across commands: a person may want to know.
func TestTheCallsOfTheProviderAreKept(t *testing.T) {
	t.Parallel()
	f, _ := newBankFixture(t)
	order := f.ordered("tok_visa")
	f.work()
	f.receive(refund(order))
	f.work()
	var got []string
	for _, c := range f.payment(order).Calls {
		got = append(got, c.What+" "+c.Outcome)
	}
	if want := "POST /charges 201, GET /charges 200, POST /refunds 201"; strings.Join(got, ", ") != want {
		t.Errorf("the calls are %q, want %q", got, want)
	}
}
