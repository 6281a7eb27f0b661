package main

import (
	"time"

	"example.com/orderflow/pkg/messages"
)

// settlement is an operator's statement that the customer has their money, for when the provider gives no answer. The zero
// settlement means none.
type settlement struct {
	SettledBy  string
	SettledWhy string
	SettledAt  *time.Time
}

// settle returns the outcome of an operator's settlement. It only ends a refund or withdrawal that has failed at the provider.
// ok is false for a payment that is not being refunded or withdrawn, or that has no failed attempt.
func (p payment) settle(s settlement, now time.Time) (out outcome, ok bool) {
	switch {
	case p.SettledAt != nil && p.Status.settled(): // a repeated request
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

// word returns the settlement as events contain it; nil if there is none.
func (s settlement) word() *messages.Settlement {
	if s.SettledAt == nil {
		return nil
	}
	return &messages.Settlement{Operator: s.SettledBy, Reason: s.SettledWhy}
}
