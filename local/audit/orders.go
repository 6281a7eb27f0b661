package audit

import (
	"fmt"
	"slices"
)

var orderRules = []rule{
	{"an order that was accepted exists", func(b *indexed, see func(string, string)) {
		for _, id := range b.Accepted {
			see(id, unless(b.order[id] != nil, "a client has a 202 for it, and there is no such order"))
		}
	}},
	{"an order that was promised under an Idempotency-Key is its customer's", func(b *indexed, see func(string, string)) {
		for _, p := range b.Promises {
			o := b.order[p.OrderID]
			if o == nil {
				see(p.OrderID, fmt.Sprintf("promised to %s under key %s, and there is no such order", p.Customer, p.Key))
				continue
			}
			see(p.OrderID, unless(o.Customer == p.Customer, "promised to %s under key %s, and it is %s's", p.Customer, p.Key, o.Customer))
		}
	}},
	{"an order is at its end, or a person has been told", func(b *indexed, see func(string, string)) {
		for _, o := range b.Orders {
			see(o.ID, unless(b.Saga.final(o.Status) || o.AttentionSince != nil, "it is still %s", o.Status))
		}
	}},
	{"an order that is not at its end has a deadline", func(b *indexed, see func(string, string)) {
		for _, o := range b.Orders {
			if !b.Saga.final(o.Status) {
				see(o.ID, unless(o.DueAt != nil || b.awaited(o.ID), "it is %s, and nothing makes it ask again", o.Status))
			}
		}
	}},
	{"a deadline that has passed is met", func(b *indexed, see func(string, string)) {
		for _, o := range b.Orders {
			if o.DueAt != nil {
				see(o.ID, unless(!o.Overdue, "it is %s, and its deadline was at %s", o.Status, at(*o.DueAt)))
			}
		}
	}},
	{"a timeline is a way through the saga", func(b *indexed, see func(string, string)) {
		for _, o := range b.Orders {
			see(o.ID, b.Saga.stray(o))
		}
	}},
	{"a cancelled order has a reason, a delivered one has none", func(b *indexed, see func(string, string)) {
		b.ended("cancelled", func(o Order) { see(o.ID, unless(o.Reason != "", "it is cancelled and nobody knows why")) })
		b.ended("delivered", func(o Order) { see(o.ID, unless(o.Reason == "", "it is delivered and has the reason %s", o.Reason)) })
	}},
	{"tracking shows what payments and shipping know", func(b *indexed, see func(string, string)) {
		for _, o := range b.Orders {
			if b.Saga.final(o.Status) {
				see(o.ID, b.misleading(o))
			}
		}
	}},
	{"money, stock and parcels belong to an order", func(b *indexed, see func(string, string)) {
		for _, p := range b.Payments {
			see(p.OrderID, unless(b.order[p.OrderID] != nil, "payments has a payment for it, and there is no such order"))
		}
		for _, r := range b.Reservations {
			see(r.OrderID, unless(b.order[r.OrderID] != nil, "inventory has a reservation for it, and there is no such order"))
		}
		for _, s := range b.Shipments {
			see(s.OrderID, unless(b.order[s.OrderID] != nil, "shipping has a shipment for it, and there is no such order"))
		}
	}},
	{"the operators' log is about orders that exist", func(b *indexed, see func(string, string)) {
		for _, e := range b.Log {
			see(e.OrderID, unless(b.order[e.OrderID] != nil, "it has an entry by %s, and there is no such order", e.Operator))
		}
	}},
}

// awaited reports whether an order's deadline is a message, as in the release before.
func (b *indexed) awaited(order string) bool {
	return slices.ContainsFunc(b.Outboxes, func(m Message) bool { return m.Subject == order && m.Kind == checkProgress })
}

// misleading describes how tracking of an ended order differs from what the owners know. A payment that was declined or
// never requested may be missing: the order may have ended before the answer arrived.
func (b *indexed) misleading(o Order) string {
	var p Payment
	if known := b.payment[o.ID]; known != nil {
		p = *known
	}
	var s Shipment
	if known := b.shipment[o.ID]; known != nil {
		s = *known
	}
	moved := []string{"taken", "refunded"}
	switch {
	case o.PaymentStatus != p.Status && (slices.Contains(moved, o.PaymentStatus) || slices.Contains(moved, p.Status)):
		return fmt.Sprintf("tracking shows the payment as %q, payments says %q", o.PaymentStatus, p.Status)
	case slices.Contains(moved, o.PaymentStatus) && o.Paid != p.Amount:
		return fmt.Sprintf("tracking shows a payment of %s, payments has one of %s", o.Paid, p.Amount)
	case o.Status == "delivered" && o.TrackingNumber != s.TrackingNumber:
		return fmt.Sprintf("tracking shows parcel %q, shipping has sent %q", o.TrackingNumber, s.TrackingNumber)
	}
	return ""
}
