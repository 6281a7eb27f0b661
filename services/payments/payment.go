package main

import (
	"fmt"
	"time"

	"example.com/orderflow/pkg/client"
	"example.com/orderflow/pkg/messages"
	"example.com/orderflow/pkg/outbox"
)

// status is the status of a payment. Forward it goes requested, then taken or declined; after a refund is asked for: refunding,
// refunded, or withdrawn if nothing was charged.
type status string

const (
	requested status = "requested"
	taken     status = "taken"
	declined  status = "declined"

	withdrawing status = "withdrawing" // given up, but the provider may have been asked to charge: its answer decides
	withdrawn   status = "withdrawn"   // given up before anything was charged; nothing will be charged
	refunding   status = "refunding"
	refunded    status = "refunded"
)

// settled reports whether there is nothing left to do, unless another command comes.
func (s status) settled() bool {
	return s == taken || s == declined || s == withdrawn || s == refunded
}

// payment is the one payment of an order. Its methods are pure: they take a payment and return an outcome.
type payment struct {
	OrderID   string
	Amount    messages.Money // zero if only the refund has been asked for
	Method    string
	Status    status // empty: there is no payment yet
	Code      string // the provider's code for the reason why it declined
	ChargeID  string // given by the provider
	RefundID  string // given by the provider
	DueAt     *time.Time
	Attempts  int              // number of claims in this status
	AskedAt   *time.Time       // when the provider may last have been asked to charge (in refunding: to refund); nil: never
	LastError string           // the error of the last attempt
	Calls     []client.Attempt `json:"-"` // of the provider, the last ones: only for people
	Origin    outbox.Origin    // the command that caused its status
	CreatedAt time.Time
	UpdatedAt time.Time // when the status was entered
	settlement
}

// chargeKey is the same for every attempt: the provider carries out requests with the same key only once.
func (p payment) chargeKey() string { return p.OrderID }

// refundKey depends on the amount, because a provider may remember a refusal under its key.
func (p payment) refundKey(amount int64) string {
	if amount == p.Amount.Amount {
		return refundPrefix + p.OrderID
	}
	return fmt.Sprintf("%s%s-%d", refundPrefix, p.OrderID, amount)
}

const refundPrefix = "refund-"

// claim is a payment as it was when a worker leased it. AskedAt is never nil.
type claim struct {
	payment
	Before *time.Time // AskedAt before this claim
}

// outcome is the result of a command, or of an answer of the provider, for a payment.
type outcome struct {
	payment payment            // with its new state
	send    []messages.Message // messages to send
}

// take returns the outcome of TakePayment. ok is false if it contradicts an earlier command.
func (p payment) take(m messages.TakePayment, now time.Time) (out outcome, ok bool) {
	switch {
	case p.Status == "":
		p.Amount, p.Method, p.CreatedAt = m.Amount, m.Method, now
		return p.enter(requested, now), true
	case p.Amount.Amount == 0: // the refund has overtaken the payment
		p.Amount, p.Method = m.Amount, m.Method
	}
	return outcome{p, p.answer()}, p.Amount == m.Amount
}

// refund returns the outcome of RefundPayment.
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

// apply returns the outcome of the provider's answer to a claim. The status that the payment has now decides: since the claim,
// it may have been given up, or another worker may have received the same answer.
func (p payment) apply(c claim, op operation, now time.Time) outcome {
	switch {
	case c.Status == refunding:
		return p.returned(op, now)
	case op.Status == operationSucceeded:
		return p.charged(op, now)
	case op.Status == operationDeclined:
		return p.refused(op, now)
	case p.Status == withdrawing && p.AskedAt.Equal(*c.AskedAt): // there is no charge, and it was not asked for again since
		return p.enter(withdrawn, now)
	}
	return outcome{payment: p}
}

func (p payment) charged(op operation, now time.Time) outcome {
	switch p.Status {
	case requested:
		p.ChargeID = op.ID
		if op.Amount > 0 && op.left() <= 0 { // a person has refunded it at the provider already
			p.RefundID = op.RefundID
			return p.enter(refunded, now)
		}
		return p.enter(taken, now)
	case declined, withdrawing, withdrawn: // given up or declined: the charge is not wanted any more
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
		t.send = p.free() // orders waits for the answer to the refund
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
	case p.Status == refunded && p.RefundID == "": // settled by hand meanwhile; kept for the books
		p.RefundID = op.ID
	}
	return outcome{payment: p}
}

// unanswered returns the outcome of a claim that got no answer. noEffect means that the provider has certainly done nothing
// because of it. again is the time of the next attempt.
func (p payment) unanswered(c claim, noEffect bool, lastError string, now, again time.Time) outcome {
	if noEffect && p.AskedAt != nil && p.AskedAt.Equal(*c.AskedAt) {
		p.AskedAt = c.Before
	}
	switch {
	case p.Status == withdrawing && p.AskedAt == nil: // the request certainly never reached the provider
		return p.enter(withdrawn, now)
	case (p.Status == withdrawing || p.Status == withdrawn) && c.Status == requested && !noEffect:
		// The payment was given up while it was being charged, and the charge is in doubt. It may even be withdrawn already, if
		// this worker was frozen for longer than the other workers waited.
		p.AskedAt = &now
		return p.enter(withdrawing, now)
	case p.Status == c.Status && p.Attempts == c.Attempts: // no other worker has claimed it since
		p.DueAt, p.LastError = &again, lastError
	}
	return outcome{payment: p}
}

// enter moves the payment into a status. If that settles the payment, the outcome has the answer.
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

// answer returns the event that tells the result of a payment, the same each time; nil while there is no result yet.
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

// free returns the event that says that nothing had to be refunded.
func (p payment) free() []messages.Message {
	return []messages.Message{messages.PaymentRefunded{OrderID: p.OrderID, Amount: messages.Money{Currency: p.Amount.Currency}, Settled: p.word()}}
}
