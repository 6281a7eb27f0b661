package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"example.com/orderflow/pkg/messages"
)

var (
	noon   = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	later  = noon.Add(time.Minute)
	amount = messages.Money{Amount: 2598, Currency: "EUR"}
)

func paymentIn(s status) payment {
	p := payment{OrderID: "o", Amount: amount, Method: "tok_visa", Status: s, CreatedAt: noon, UpdatedAt: noon}
	if !s.settled() {
		p.DueAt = &noon
	}
	return p
}

// claimed returns a payment that was claimed at noon. before is nil for the first claim.
func claimed(s status, before *time.Time) claim {
	p := paymentIn(s)
	p.Attempts, p.AskedAt = 1, &noon
	return claim{p, before}
}

// said returns messages in the short form of the tables: "taken 2598".
func said(msgs []messages.Message) string {
	var all []string
	for _, m := range msgs {
		switch m := m.(type) {
		case messages.PaymentTaken:
			all = append(all, fmt.Sprintf("taken %d", m.Amount.Amount))
		case messages.PaymentDeclined:
			all = append(all, "declined "+m.Code)
		case messages.PaymentRefunded:
			text := fmt.Sprintf("refunded %d", m.Amount.Amount)
			if s := m.Settled; s != nil {
				text += " by " + s.Operator + ": " + s.Reason
			}
			all = append(all, text)
		}
	}
	return strings.Join(all, ", ")
}

func TestTheOutcomeOfACommandForAPayment(t *testing.T) {
	t.Parallel()
	take := func(p payment) outcome {
		next, ok := p.take(messages.TakePayment{OrderID: p.OrderID, Amount: amount, Method: "tok_visa"}, later)
		if !ok {
			t.Errorf("in %q it contradicts", p.Status)
		}
		return next
	}
	refund := func(p payment) outcome { return p.refund(later) }
	asked := claimed(requested, nil).payment
	refused := paymentIn(declined)
	refused.Code = "no_funds"
	for _, row := range []struct {
		what string
		in   payment
		on   func(payment) outcome
		to   status
		say  string
	}{
		{"the first command charges", payment{OrderID: "o"}, take, requested, ""},
		{"asked again while it is charged, the answer is on its way", asked, take, requested, ""},
		{"asked again, a taken payment says so", paymentIn(taken), take, taken, "taken 2598"},
		{"asked again, a declined payment says so", refused, take, declined, "declined no_funds"},
		{"what is being given up is not charged anew", claimed(withdrawing, &noon).payment, take, withdrawing, ""},
		{"what was given up is not charged anew", paymentIn(withdrawn), take, withdrawn, "refunded 0"},
		{"what is being given back is not charged anew", paymentIn(refunding), take, refunding, ""},
		{"what was given back is not charged anew", paymentIn(refunded), take, refunded, "refunded 2598"},

		{"a refund that comes first leaves a tombstone", payment{OrderID: "o"}, refund, withdrawn, "refunded 0"},
		{"what nobody has asked the provider for is given up at once", paymentIn(requested), refund, withdrawn, "refunded 0"},
		{"what the provider may have charged is given up when it has said so", asked, refund, withdrawing, ""},
		{"a taken payment is given back", paymentIn(taken), refund, refunding, ""},
		{"a declined payment has nothing to give back", refused, refund, declined, "refunded 0"},
		{"asked again while it is given up, the answer is on its way", claimed(withdrawing, &noon).payment, refund, withdrawing, ""},
		{"asked again, a withdrawn payment says so", paymentIn(withdrawn), refund, withdrawn, "refunded 0"},
		{"asked again while it is given back, the answer is on its way", paymentIn(refunding), refund, refunding, ""},
		{"asked again, a refunded payment says so", paymentIn(refunded), refund, refunded, "refunded 2598"},
	} {
		got := row.on(row.in)
		check(t, row.what, row.in, got, row.to, row.say)
	}
}

func check(t *testing.T, what string, was payment, got outcome, to status, say string) {
	t.Helper()
	if got.payment.Status != to || said(got.send) != say {
		t.Errorf("%s: %s and %q, want %s and %q", what, got.payment.Status, said(got.send), to, say)
	}
	if settled := got.payment.DueAt == nil; settled != to.settled() {
		t.Errorf("%s: %s, due %v", what, to, got.payment.DueAt)
	}
	if moved := was.Status != to; moved && (!got.payment.UpdatedAt.Equal(later) || got.payment.Attempts != 0 || got.payment.LastError != "") {
		t.Errorf("%s: moved and left %+v", what, got.payment)
	}
}

func TestASecondCommandWithAnotherAmountContradicts(t *testing.T) {
	t.Parallel()
	other := messages.TakePayment{OrderID: "o", Amount: messages.Money{Amount: amount.Amount, Currency: "USD"}, Method: "tok_visa"}
	for _, s := range []status{requested, taken, declined, withdrawing, refunding, refunded, withdrawn} {
		if _, ok := paymentIn(s).take(other, later); ok {
			t.Errorf("a %s payment takes another amount", s)
		}
	}
	tombstone := payment{OrderID: "o"}.refund(noon).payment
	got, ok := tombstone.take(other, later)
	if !ok || got.payment.Amount != other.Amount || got.payment.Method != other.Method {
		t.Errorf("a tombstone learns what it was about: %t, %+v", ok, got.payment)
	}
}

func TestTheOutcomeOfTheProvidersAnswerForAPayment(t *testing.T) {
	t.Parallel()
	charge := operation{ID: "ch", Status: operationSucceeded, Amount: 2598}
	rebate, spent := charge, charge
	rebate.Refunded, spent.Refunded = 600, 2598
	refusal := operation{Status: operationDeclined, Code: "no_funds"}
	repayment := operation{ID: "re", Status: operationSucceeded}
	nothing := operation{}
	charging, looking, repaying := claimed(requested, nil), claimed(withdrawing, &noon), claimed(refunding, nil)
	askedSince := looking.payment
	askedSince.AskedAt = &later
	for _, row := range []struct {
		what  string
		claim claim
		hears operation
		in    payment
		to    status
		say   string
	}{
		{"charged", charging, charge, charging.payment, taken, "taken 2598"},
		{"charged, and a part was given back by hand", charging, rebate, charging.payment, taken, "taken 2598"},
		{"charged, and all was given back by hand", charging, spent, charging.payment, refunded, "refunded 2598"},
		{"declined", charging, refusal, charging.payment, declined, "declined no_funds"},
		{"charged after it was given up: given back", charging, charge, looking.payment, refunding, ""},
		{"declined after it was given up", charging, refusal, looking.payment, declined, "refunded 0"},
		{"charged although it was long given up: given back", charging, charge, paymentIn(withdrawn), refunding, ""},
		{"charged although another worker was told otherwise: given back", charging, charge, paymentIn(declined), refunding, ""},
		{"another worker has heard the same charge", charging, charge, paymentIn(taken), taken, ""},
		{"another worker has heard the same refusal", charging, refusal, paymentIn(declined), declined, ""},
		{"the charge is being given back already", charging, charge, paymentIn(refunding), refunding, ""},
		{"the charge was given back already", charging, charge, paymentIn(refunded), refunded, ""},
		{"refused after it was withdrawn", charging, refusal, paymentIn(withdrawn), withdrawn, ""},

		{"given up, and a charge turns up: given back", looking, charge, looking.payment, refunding, ""},
		{"given up, and it had been declined", looking, refusal, looking.payment, declined, "refunded 0"},
		{"given up, and there is no charge", looking, nothing, looking.payment, withdrawn, "refunded 0"},
		{"given up, and there was no charge before somebody asked for one again", looking, nothing, askedSince, withdrawing, ""},
		{"no charge, which another worker has heard", looking, nothing, paymentIn(withdrawn), withdrawn, ""},
		{"no charge then, but there is one now", looking, nothing, paymentIn(refunding), refunding, ""},

		{"given back", repaying, repayment, repaying.payment, refunded, "refunded 2598"},
		{"another worker has heard that it was given back", repaying, repayment, paymentIn(refunded), refunded, ""},
	} {
		got := row.in.apply(row.claim, row.hears, later)
		check(t, row.what, row.in, got, row.to, row.say)
		if row.to != row.in.Status && row.hears == charge && got.payment.ChargeID != "ch" {
			t.Errorf("%s: the charge's id is %q", row.what, got.payment.ChargeID)
		}
		if row.to == refunding && row.in.Status != refunding && got.payment.AskedAt != nil {
			t.Errorf("%s: as if a refund had been asked for before", row.what)
		}
	}
}

func TestTheOutcomeOfAMissingAnswerForAPayment(t *testing.T) {
	t.Parallel()
	const noEffect, unknown = true, false
	earlier, again := noon.Add(-time.Hour), later.Add(time.Second)
	first, second := claimed(requested, nil), claimed(requested, &earlier)
	givenUp := claimed(withdrawing, &noon).payment
	claimedSince := first.payment
	claimedSince.Attempts, claimedSince.AskedAt, claimedSince.DueAt = 2, &later, &later
	for _, row := range []struct {
		what     string
		claim    claim
		noEffect bool
		in       payment
		to       status
		say      string
		asked    *time.Time
		due      *time.Time
	}{
		{"nothing was sent: as if it had never been asked for", first, noEffect, first.payment, requested, "", nil, &again},
		{"nothing was sent this time, but perhaps before", second, noEffect, second.payment, requested, "", &earlier, &again},
		{"who knows: it must be looked for", first, unknown, first.payment, requested, "", &noon, &again},
		{"claimed by another since: his lease stays", first, noEffect, claimedSince, requested, "", &later, &later},
		{"given up meanwhile, and nothing was sent", first, noEffect, givenUp, withdrawn, "refunded 0", nil, nil},
		{"given up meanwhile, and who knows: it is looked for at once", first, unknown, givenUp, withdrawing, "", &later, &later},
		{"given up for good meanwhile, and who knows: it is looked for after all", first, unknown, paymentIn(withdrawn), withdrawing, "", &later, &later},
		{"given up for good meanwhile, and nothing was sent", first, noEffect, paymentIn(withdrawn), withdrawn, "", nil, nil},
		{"taken meanwhile", first, unknown, paymentIn(taken), taken, "", nil, nil},
		{"the provider cannot be asked what it has charged", claim{givenUp, &noon}, noEffect, withAttempts(givenUp, 1), withdrawing, "", &noon, &again},
		{"nothing was given back", claimed(refunding, nil), noEffect, claimed(refunding, nil).payment, refunding, "", nil, &again},
		{"perhaps it was given back", claimed(refunding, nil), unknown, claimed(refunding, nil).payment, refunding, "", &noon, &again},
	} {
		got := row.in.unanswered(row.claim, row.noEffect, "no luck", later, again)
		check(t, row.what, row.in, got, row.to, row.say)
		if !same(got.payment.AskedAt, row.asked) || !same(got.payment.DueAt, row.due) {
			t.Errorf("%s: asked at %v, due at %v, want %v and %v", row.what, got.payment.AskedAt, got.payment.DueAt, row.asked, row.due)
		}
		if postponed := row.due == &again; postponed != (got.payment.LastError == "no luck") {
			t.Errorf("%s: last error %q", row.what, got.payment.LastError)
		}
	}
}

func TestTheOutcomeOfASettlementForAPayment(t *testing.T) {
	t.Parallel()
	word := settlement{"olga", "repaid", &later}
	troubled := func(p payment) payment {
		p.LastError = "no luck"
		return p
	}
	settled := paymentIn(refunded)
	settled.settlement = settlement{"oscar", "repaid before", &noon}
	for _, row := range []struct {
		what string
		in   payment
		to   status
		say  string
		ok   bool
	}{
		{"a refund that fails", troubled(paymentIn(refunding)), refunded, "refunded 2598 by olga: repaid", true},
		{"a charge that cannot be asked about", troubled(claimed(withdrawing, &noon).payment), withdrawn, "refunded 0 by olga: repaid", true},
		{"a refund that has not failed", paymentIn(refunding), refunding, "", false},
		{"a charge that fails, which orders will give up", troubled(paymentIn(requested)), requested, "", false},
		{"a payment", paymentIn(taken), taken, "", false},
		{"a refund", paymentIn(refunded), refunded, "", false},
		{"nobody's payment", payment{}, "", "", false},
		{"what another has settled", settled, refunded, "", true},
	} {
		got, ok := row.in.settle(word, later)
		if ok != row.ok || got.payment.Status != row.to || said(got.send) != row.say {
			t.Errorf("%s: %t, %s and %q, want %t, %s and %q", row.what, ok, got.payment.Status, said(got.send), row.ok, row.to, row.say)
		}
	}
	late := settled.apply(claimed(refunding, nil), operation{ID: "re", Status: operationSucceeded}, later)
	if late.payment.RefundID != "re" || len(late.send) > 0 {
		t.Errorf("the provider has given it back after all: %+v", late)
	}
}

func withAttempts(p payment, n int) payment {
	p.Attempts = n
	return p
}

func same(a, b *time.Time) bool { return a == b || a != nil && b != nil && a.Equal(*b) }
