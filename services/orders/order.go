package main

import (
	"cmp"
	"slices"
	"time"

	"example.com/orderflow/pkg/messages"
)

// order is an order together with the data that tracking shows. Its methods are pure: they take an order and return an outcome.
type order struct {
	ID              string
	CustomerID      string
	Status          status
	Reason          reason
	Lines           []line
	Total           messages.Money
	ShippingAddress messages.Address
	PaymentMethod   string
	AllowBackorder  bool
	Payment         payment
	Shipment        shipment
	Step            int
	Seq             int
	DueAt           *time.Time // end of the timeout of its state; nil: it waits for nothing
	Passed          int        // timeouts that have passed in this state
	AttentionSince  *time.Time
	TraceParent     string // of the request that placed it; empty: not known
	CreatedAt       time.Time
	UpdatedAt       time.Time
}

// line is a product as it was ordered, with the price of that time.
type line struct {
	SKU       string         `json:"sku"`
	Name      string         `json:"name"`
	Quantity  int            `json:"quantity"`
	UnitPrice messages.Money `json:"unit_price"`
}

// payment is what orders knows about a payment. Status is "" (not asked for), requested, taken, declined or refunded.
type payment struct {
	Status string         `json:"status"`
	Amount messages.Money `json:"amount"`
	Code   string         `json:"code,omitempty"` // the provider's code for the reason why it declined
}

// shipment is what orders knows about a shipment.
type shipment struct {
	Carrier           string    `json:"carrier,omitempty"`
	TrackingNumber    string    `json:"tracking_number,omitempty"`
	Stages            []stage   `json:"stages"`
	EstimatedDelivery time.Time `json:"estimated_delivery,omitzero"`
}

type stage struct {
	Stage string    `json:"stage"`
	At    time.Time `json:"at"`
}

// entry is a line of an order's timeline.
type entry struct {
	Seq    int       `json:"seq"`
	At     time.Time `json:"at"`
	Status status    `json:"status"`
	What   string    `json:"what"`
	hand
	Entered bool `db:"-" json:"-"` // the order entered the status with this entry; set only while the entry is new
}

// hand is the operator who caused an entry, and why; empty: no operator did. Customers do not see it.
type hand struct {
	Operator string `json:"operator,omitempty"`
	Why      string `json:"why,omitempty"`
}

// outcome is the result of an event, a request or a timeout for an order.
type outcome struct {
	order order              // with its new state
	entry *entry             // new in the timeline, to be announced; nil: none
	send  []messages.Message // commands to send
}

func (o order) units() []messages.Line {
	units := make([]messages.Line, len(o.Lines))
	for i, l := range o.Lines {
		units[i] = messages.Line{SKU: l.SKU, Quantity: l.Quantity}
	}
	return units
}

// place returns the outcome of placing an order.
func (o order) place(now time.Time, t timeouts) outcome {
	o.CreatedAt = now
	o.Shipment.Stages = []stage{}
	return o.enter(placed, "order placed", now, t)
}

// apply returns the outcome of an event. Data about payment and shipment is kept in every state; the saga's transitions decide
// whether the order goes on. ok is false for an event that is late or a duplicate.
func (o order) apply(m messages.Message, now time.Time, t timeouts) (out outcome, ok bool) {
	known := o.learn(m, now)
	next, ok := saga[o.Status].on(m.Kind())
	if !ok || (next.to == o.Status && known) {
		return outcome{order: o}, false
	}
	by := settledBy(m)
	if by != (hand{}) {
		next.what = "settled by the shop: " + next.what
	}
	switch {
	case !next.to.compensating():
		o.Reason = "" // the order goes forward
	case next.why != "":
		o.Reason = next.why
	}
	if next.to == o.Status {
		return o.note(next.what, now).by(by), true
	}
	return o.enter(next.to, next.what, now, t).by(by), true
}

// settledBy returns the operator who settled by hand what the event reports; the zero hand if it was not settled by hand.
func settledBy(m messages.Message) hand {
	var s *messages.Settlement
	switch m := m.(type) {
	case messages.PaymentRefunded:
		s = m.Settled
	case messages.ShipmentDelivered:
		s = m.Settled
	case messages.ShipmentFailed:
		s = m.Settled
	}
	if s == nil {
		return hand{}
	}
	return hand{s.Operator, s.Reason}
}

// cancel returns the outcome of a request to cancel, by the customer or by an operator; only an operator is named in by. ok is
// false once the parcel has left.
func (o order) cancel(by hand, now time.Time, t timeouts) (out outcome, ok bool) {
	switch compensation := saga[o.Status].compensation; {
	case o.Status.compensating(): // it is being cancelled, or has been
		return outcome{order: o}, true
	case compensation == "":
		return outcome{order: o}, false
	default:
		what := "cancellation requested"
		o.Reason = customerRequest
		if by.Operator != "" {
			what += " by the shop"
			o.Reason = operatorRequest
		}
		return o.enter(compensation, what, now, t).by(by), true
	}
}

// overdue returns the outcome of a timeout. ok is false if the order waits for nothing or its timeout has not passed.
func (o order) overdue(now time.Time, t timeouts) (out outcome, ok bool) {
	if o.DueAt == nil || now.Before(*o.DueAt) {
		return outcome{order: o}, false
	}
	s := saga[o.Status]
	passed, tries := o.Passed+1, t.tries(o.Status)
	switch {
	case o.Status.final(): // a release that knows no DueAt has ended it
		o.DueAt = nil
		return outcome{order: o}, true
	case passed > tries && s.compensation != "":
		o.Reason = expired
		return o.enter(s.compensation, "took too long, compensating", now, t), true
	}
	if passed > tries && o.AttentionSince == nil {
		o.AttentionSince = &now
		out = o.note("takes longer than it should, a person has been told", now)
	} else {
		out = outcome{order: o}
	}
	out.send = append(out.send, s.command(o))
	out.await(passed, now, t)
	return out, true
}

// enter moves an order into a state.
func (o order) enter(to status, what string, now time.Time, t timeouts) outcome {
	o.Status = to
	o.Step++
	o.AttentionSince, o.DueAt, o.Passed = nil, nil, 0
	s := saga[to]
	if to == reserved {
		o.Payment = payment{Status: "requested", Amount: o.Total}
	}
	out := o.write(what, true, now)
	if s.command != nil && !s.onlyAgain {
		out.send = append(out.send, s.command(o))
	}
	if !to.final() {
		out.await(0, now, t)
	}
	return out
}

// note adds an entry to the timeline and changes nothing else.
func (o order) note(what string, now time.Time) outcome { return o.write(what, false, now) }

func (o order) write(what string, entered bool, now time.Time) outcome {
	o.Seq++
	o.UpdatedAt = now
	return outcome{order: o, entry: &entry{Seq: o.Seq, At: now, Status: o.Status, What: what, Entered: entered}}
}

// announce returns the events about new entries that are committed together. One event covers all entries up to one that enters
// a status with an event of its own; entries after the last such one share one more event.
func (o order) announce(entries ...entry) (events []messages.Message) {
	var c messages.OrderChange
	for _, e := range entries {
		if c.Seq > 0 {
			c.Earlier = append(c.Earlier, c.OrderEntry)
		}
		c.OrderID, c.CustomerID, c.Reason = o.ID, o.CustomerID, string(o.Reason)
		c.OrderEntry = messages.OrderEntry{Seq: e.Seq, Status: string(e.Status), Entered: e.Entered, What: e.What, At: e.At}
		if event := saga[e.Status].event; e.Entered && event != nil {
			events = append(events, event(o, c))
			c = messages.OrderChange{}
		}
	}
	if c.Seq > 0 {
		events = append(events, messages.OrderStatusChanged{OrderChange: c})
	}
	return events
}

// by names in the timeline entry the operator who caused the outcome.
func (out outcome) by(h hand) outcome {
	out.entry.hand = h
	return out
}

// await starts the next timeout.
func (out *outcome) await(passed int, now time.Time, t timeouts) {
	due := now.Add(t.after(out.order.Status, passed))
	out.order.DueAt, out.order.Passed = &due, passed
}

// learn copies what an event says about payment and shipment. known is true if the event reports a stage that is already there.
func (o *order) learn(m messages.Message, now time.Time) (known bool) {
	switch m := m.(type) {
	case messages.PaymentTaken:
		if o.Payment.Status == "requested" {
			o.Payment = payment{Status: "taken", Amount: m.Amount}
		}
	case messages.PaymentDeclined:
		if o.Payment.Status == "requested" {
			o.Payment.Status, o.Payment.Code = "declined", m.Code
		}
	case messages.PaymentRefunded:
		if m.Amount.Amount > 0 {
			o.Payment = payment{Status: "refunded", Amount: m.Amount}
		} else if o.Payment.Status == "requested" {
			o.Payment = payment{} // nothing was ever charged
		}
	case messages.ShipmentArranged:
		return o.reached("arranged", m.ShipmentChange, now)
	case messages.ShipmentDispatched:
		return o.reached("dispatched", m.ShipmentChange, now)
	case messages.ShipmentInTransit:
		return o.reached("in_transit", m.ShipmentChange, now)
	case messages.ShipmentDelivered:
		return o.reached("delivered", m.ShipmentChange, now)
	case messages.ShipmentFailed:
		return o.reached("failed", m.ShipmentChange, now)
	case messages.ShipmentCancelled:
		return o.reached("cancelled", m.ShipmentChange, now)
	}
	return false
}

// reached copies what an event says about the parcel. It adds the stage in the order of time, not of arrival. known is true if
// the stage was already there.
func (o *order) reached(name string, c messages.ShipmentChange, now time.Time) (known bool) {
	s := &o.Shipment
	s.Carrier, s.TrackingNumber = cmp.Or(c.Carrier, s.Carrier), cmp.Or(c.TrackingNumber, s.TrackingNumber)
	if !c.EstimatedDelivery.IsZero() {
		s.EstimatedDelivery = c.EstimatedDelivery
	}
	if slices.ContainsFunc(s.Stages, func(s stage) bool { return s.Stage == name }) {
		return true
	}
	at := c.At
	if at.IsZero() { // the previous release does not send the time of a cancellation
		at = now
	}
	s.Stages = append(slices.Clone(s.Stages), stage{name, at})
	slices.SortStableFunc(s.Stages, func(a, b stage) int { return a.At.Compare(b.At) })
	return false
}
