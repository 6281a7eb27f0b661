package main

import (
	"time"

	"example.com/orderflow/pkg/messages"
)

// settlement is an operator's statement about what happened to a parcel, for when the carrier gives no answer. The zero
// settlement means none.
type settlement struct {
	SettledBy  string
	SettledWhy string
	SettledAt  *time.Time
}

// settle returns the outcome of an operator's settlement: the parcel was delivered, or has failed. ok is false if the shipment
// is final already, or if it can still be shipped normally.
func (s shipment) settle(end status, word settlement, now time.Time) (out outcome, ok bool) {
	switch {
	case s.SettledAt != nil: // a repeated request
		return outcome{shipment: s}, s.Status == end
	case s.Status == "", s.Status.final(), s.TrackingNumber == "" && (s.LastError == "" || end == delivered):
		return outcome{shipment: s}, false
	}
	s.settlement = word
	if end == failed {
		s.Reason = settledByHand
	}
	return s.reach(now, stage{end, now}), true
}

// word returns the settlement as events contain it; nil if there is none.
func (s settlement) word() *messages.Settlement {
	if s.SettledAt == nil {
		return nil
	}
	return &messages.Settlement{Operator: s.SettledBy, Reason: s.SettledWhy}
}
