package audit

import (
	"fmt"
	"maps"
	"slices"
)

var parcelRules = []rule{
	{"a delivered order was shipped once", func(b *indexed, see func(string, string)) {
		b.ended("delivered", func(o Order) {
			parcels := b.parcels[o.ID]
			if b.shipment[o.ID].settled() {
				see(o.ID, "")
				return
			}
			if len(parcels) != 1 {
				see(o.ID, fmt.Sprintf("it is delivered, and the carrier has %s of it", count(len(parcels), "parcel", "parcels")))
				return
			}
			p := parcels[0]
			right := p.Status == "delivered" && units(p.Lines) == units(o.Lines)
			see(o.ID, unless(right, "%s were ordered and delivered, the carrier has a parcel that is %s, with %s", units(o.Lines), p.Status, units(p.Lines)))
		})
	}},
	{"a cancelled order has no parcel on its way", func(b *indexed, see func(string, string)) {
		b.ended("cancelled", func(o Order) {
			on := slices.IndexFunc(b.parcels[o.ID], func(p Parcel) bool { return p.Status != "cancelled" && p.Status != "failed" })
			if on < 0 || b.shipment[o.ID].settled() {
				see(o.ID, "")
				return
			}
			p := b.parcels[o.ID][on]
			see(o.ID, fmt.Sprintf("it is cancelled, and parcel %s is %s", p.TrackingNumber, p.Status))
		})
	}},
	{"the shipment of an order at its end is at its end", func(b *indexed, see func(string, string)) {
		for _, s := range b.Shipments {
			if o := b.order[s.OrderID]; o != nil && b.Saga.final(o.Status) {
				see(o.ID, unless(s.DueAt == nil, "it is %s, and its shipment is still %s", o.Status, s.Status))
			}
		}
	}},
	{"shipping and the carrier agree", func(b *indexed, see func(string, string)) {
		for _, s := range b.Shipments {
			if s.DueAt == nil && !s.settled() {
				see(s.OrderID, s.differs(b.parcels[s.OrderID]))
			}
		}
	}},
	{"shipping knows of whatever the carrier has", func(b *indexed, see func(string, string)) {
		for _, id := range slices.Sorted(maps.Keys(b.parcels)) {
			see(id, unless(b.shipment[id] != nil, "the carrier has %s of it, shipping knows nothing", count(len(b.parcels[id]), "parcel", "parcels")))
		}
	}},
}

// settled reports whether an operator settled the shipment because the carrier could not tell its state.
func (s *Shipment) settled() bool { return s != nil && s.SettledBy != "" }

// differs describes how a finished shipment differs from the carrier's parcels of it. shipping records
// a parcel that the carrier itself cancelled as failed.
func (s Shipment) differs(parcels []Parcel) string {
	if s.TrackingNumber == "" {
		return unless(len(parcels) == 0, "shipping has it %s without a parcel, the carrier has %s of it", s.Status, count(len(parcels), "parcel", "parcels"))
	}
	if len(parcels) != 1 {
		return fmt.Sprintf("shipping has parcel %s of it, the carrier has %s", s.TrackingNumber, count(len(parcels), "parcel", "parcels"))
	}
	p, status := parcels[0], s.Status
	if s.Reason == "cancelled_by_carrier" {
		status = "cancelled"
	}
	return unless(p.TrackingNumber == s.TrackingNumber && p.Status == status, "shipping has parcel %s as %s, the carrier has parcel %s as %s",
		s.TrackingNumber, s.Status, p.TrackingNumber, p.Status)
}
