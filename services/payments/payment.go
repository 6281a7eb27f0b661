package main

import (
	"fmt"
	"time"

	"example.com/orderflow/pkg/messages"
	"example.com/orderflow/pkg/outbox"
)

// status is where a payment stands. Forward it goes requested, taken or declined; backward refunding, refunded, or
// withdrawn when nothing was charged.
type status string

const (
	requested status = "requested"
	taken     status = "taken"
	declined  status = "declined"

	withdrawing status = "withdrawing" // given up, but the provider may have been asked to charge: first it must say
	withdrawn   status = "withdrawn"   // given up before anything was charged, and nothing will be
	refunding   status = "refunding"
	refunded    status = "refunded"
)

// settled reports whether there is nothing left to do, unless another command comes.
func (s status) settled() bool {
	return s == taken || s == declined || s == withdrawn || s == refunded
}

// payment is the one payment of an order. Its methods decide and do nothing else: they take a payment as it is and
// return an outcome.
type payment struct {
	OrderID   string
	Amount    messages.Money // zero while only its refund has been asked for
	Method    string
	Status    status // empty: nothing is known of it yet
	Code      string // the provider's word for why it declined
	ChargeID  string // the provider's
	RefundID  string // likewise
	DueAt     *time.Time
	Attempts  int           // claims in this status
	AskedAt   *time.Time    // when the provider may last have been asked to charge, or to refund when that is what it is at; nil: never
	LastError string        // what the last attempt ended with
	Origin    outbox.Origin // the command that brought it where it is
	CreatedAt time.Time
	UpdatedAt time.Time // of the status
	settlement
}

// settlement is an operator's word that a customer has what is theirs, where the provider gives none. The zero settlement
// is none.
type settlement struct {
	SettledBy  string
	SettledWhy string
	SettledAt  *time.Time
}

// The provider does once what it is asked twice with one key.
func (p payment) chargeKey() string { return p.OrderID }

// refundKey is another one for each amount: a provider may remember under a key that it has refused.
func (p payment) refundKey(amount int64) string {
	if amount == p.Amount.Amount {
		return refundPrefix + p.OrderID
	}
	return fmt.Sprintf("%s%s-%d", refundPrefix, p.OrderID, amount)
}

const refundPrefix = "refund-"

// claim is a payment that a worker has leased, as it was then. It has an AskedAt.
type claim struct {
	payment
	Before *time.Time // AskedAt before this claim
}

// outcome is what a command, or a word of the provider, makes of a payment.
type outcome struct {
	payment payment            // as it is from now on
	send    []messages.Message // to send with it
}

// take is what TakePayment makes of it. ok is false when it contradicts an earlier one.
func (p payment) take(m messages.TakePayment, now time.Time) (out outcome, ok bool) {
	switch {
	case p.Status == "":
		p.Amount, p.Method, p.CreatedAt = m.Amount, m.Method, now
		return p.enter(requested, now), true
	case p.Amount.Amount == 0: // its refund overtook it
		p.Amount, p.Method = m.Amount, m.Method
	}
	return outcome{p, p.answer()}, p.Amount == m.Amount
}

// refund is what RefundPayment makes of it.
func (p payment) refund(now time.Time) outcome {
	switch p.Status {
	case "":
		p.CreatedAt = now
		return p.enter(withdrawn, now)
	case requested:
		if p.AskedAt == nil {
			return p.enter(withdrawn, now)
		}
		return p.enter(withdrawing, now)
	case taken:
		return p.enter(refunding, now)
	case declined:
		return outcome{p, p.free()}
	default:
		return outcome{p, p.answer()}
	}
}

// apply is what the provider's answer to a claim makes of it. Meanwhile the payment may have been given up, or another
// worker may have heard the same: what counts is the status that it has now.
func (p payment) apply(c claim, op operation, now time.Time) outcome {
	switch {
	case c.Status == refunding:
		return p.returned(op, now)
	case op.Status == operationSucceeded:
		return p.charged(op, now)
	case op.Status == operationDeclined:
		return p.refused(op, now)
	case p.Status == withdrawing && p.AskedAt.Equal(*c.AskedAt): // there is no charge, and none was asked for since
		return p.enter(withdrawn, now)
	}
	return outcome{payment: p}
}

func (p payment) charged(op operation, now time.Time) outcome {
	switch p.Status {
	case requested:
		p.ChargeID = op.ID
		if op.Amount > 0 && op.left() <= 0 { // somebody was faster at the provider
			p.RefundID = op.RefundID
			return p.enter(refunded, now)
		}
		return p.enter(taken, now)
	case declined, withdrawing, withdrawn: // nobody waits for this charge any more
		p.ChargeID = op.ID
		return p.enter(refunding, now)
	default:
		return outcome{payment: p}
	}
}

func (p payment) refused(op operation, now time.Time) outcome {
	switch p.Status {
	case requested:
		p.Code = op.Code
		return p.enter(declined, now)
	case withdrawing:
		p.Code = op.Code
		t := p.enter(declined, now)
		t.send = p.free() // the answer to the refund, which is what is waited for
		return t
	default:
		return outcome{payment: p}
	}
}

func (p payment) returned(op operation, now time.Time) outcome {
	switch {
	case p.Status == refunding:
		p.RefundID = op.ID
		return p.enter(refunded, now)
	case p.Status == refunded && p.RefundID == "": // settled meanwhile: for the books
		p.RefundID = op.ID
	}
	return outcome{payment: p}
}

// settle is what an operator's word makes of it. It ends what the provider has failed to end, and nothing else: ok is
// false for a payment that nobody gives back, or that may still be given back without anybody's help.
func (p payment) settle(s settlement, now time.Time) (out outcome, ok bool) {
	switch {
	case p.SettledAt != nil && p.Status.settled(): // asked again
		return outcome{payment: p}, true
	case p.Status != refunding && p.Status != withdrawing, p.LastError == "":
		return outcome{payment: p}, false
	}
	to := refunded
	if p.Status == withdrawing {
		to = withdrawn
	}
	p.settlement = s
	return p.enter(to, now), true
}

// unanswered is what a claim without an answer makes of it. noEffect says that the provider has certainly done nothing because
// of it; again is when to try once more.
func (p payment) unanswered(c claim, noEffect bool, lastError string, now, again time.Time) outcome {
	if noEffect && p.AskedAt != nil && p.AskedAt.Equal(*c.AskedAt) {
		p.AskedAt = c.Before
	}
	switch {
	case p.Status == withdrawing && p.AskedAt == nil: // it never left the house
		return p.enter(withdrawn, now)
	case (p.Status == withdrawing || p.Status == withdrawn) && c.Status == requested && !noEffect:
		// Given up while it was being charged, and who knows whether it was. It can even be withdrawn already, when this
		// worker was frozen for longer than the others could know.
		p.AskedAt = &now
		return p.enter(withdrawing, now)
	case p.Status == c.Status && p.Attempts == c.Attempts: // nobody else has claimed it since
		p.DueAt, p.LastError = &again, lastError
	}
	return outcome{payment: p}
}

// enter takes it into a status, with the answer if that settles it.
func (p payment) enter(to status, now time.Time) outcome {
	p.Status, p.UpdatedAt = to, now
	p.Attempts, p.LastError = 0, ""
	if to != withdrawing {
		p.AskedAt = nil
	}
	p.DueAt = nil
	if !to.settled() {
		p.DueAt = &now
	}
	return outcome{p, p.answer()}
}

// answer is what there is to say about a payment, however often it is asked; nothing while the answer is being found out.
func (p payment) answer() []messages.Message {
	switch p.Status {
	case taken:
		return []messages.Message{messages.PaymentTaken{OrderID: p.OrderID, Amount: p.Amount}}
	case declined:
		return []messages.Message{messages.PaymentDeclined{OrderID: p.OrderID, Code: p.Code}}
	case refunded:
		return []messages.Message{messages.PaymentRefunded{OrderID: p.OrderID, Amount: p.Amount, Settled: p.word()}}
	case withdrawn:
		return p.free()
	default:
		return nil
	}
}

// free says that there was nothing to give back.
func (p payment) free() []messages.Message {
	return []messages.Message{messages.PaymentRefunded{OrderID: p.OrderID, Amount: messages.Money{Currency: p.Amount.Currency}, Settled: p.word()}}
}

// word is who has settled it and why, as an event tells it.
func (s settlement) word() *messages.Settlement {
	if s.SettledAt == nil {
		return nil
	}
	return &messages.Settlement{Operator: s.SettledBy, Reason: s.SettledWhy}
}
