package main

import (
	"time"

	"example.com/orderflow/pkg/messages"
)

// settlement is an operator's word for what has become of a parcel, where the carrier gives none. The zero settlement is none.
type settlement struct {
	SettledBy  string
	SettledWhy string
	SettledAt  *time.Time
}

// settle is what an operator's word makes of it: the parcel was delivered, or has failed. ok is false when the shipment is
// at its end already, or when nothing keeps the carrier from being asked to ship it.
func (s shipment) settle(end status, word settlement, now time.Time) (out outcome, ok bool) {
	switch {
	case s.SettledAt != nil: // asked again
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

// word is who has settled it and why, as an event tells it.
func (s settlement) word() *messages.Settlement {
	if s.SettledAt == nil {
		return nil
	}
	return &messages.Settlement{Operator: s.SettledBy, Reason: s.SettledWhy}
}
