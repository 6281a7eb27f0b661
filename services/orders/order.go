package main

import (
	"cmp"
	"slices"
	"time"

	"example.com/orderflow/pkg/messages"
)

// order is an order and what tracking shows of it. Its methods decide and do nothing else: they take an order as it is
// and return a turn.
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
	DueAt           *time.Time // when it asks again, or turns back, unless it has moved on by then; nil when it waits for nothing
	Passed          int        // deadlines that have passed in this status
	AttentionSince  *time.Time
	CreatedAt       time.Time
	UpdatedAt       time.Time
}

// line is a product as it was ordered: at the price that it had then.
type line struct {
	SKU       string         `json:"sku"`
	Name      string         `json:"name"`
	Quantity  int            `json:"quantity"`
	UnitPrice messages.Money `json:"unit_price"`
}

// payment is what orders knows of a payment: "" (not asked for), requested, taken, declined or refunded.
type payment struct {
	Status string         `json:"status"`
	Amount messages.Money `json:"amount"`
	Code   string         `json:"code,omitempty"` // the provider's word for why it declined
}

// shipment is what orders knows of a shipment.
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
	Entered bool `db:"-" json:"-"` // the order came into the status with it; known only while it is new
}

// hand is the operator whose doing an entry is, and why they did it; empty: nobody's. Customers are not told.
type hand struct {
	Operator string `json:"operator,omitempty"`
	Why      string `json:"why,omitempty"`
}

// turn is what an event makes of an order.
type turn struct {
	order order              // as it is from now on
	entry *entry             // new in the timeline, if anything: to be announced
	send  []messages.Message // to send besides
}

func (o order) units() []messages.Line {
	units := make([]messages.Line, len(o.Lines))
	for i, l := range o.Lines {
		units[i] = messages.Line{SKU: l.SKU, Quantity: l.Quantity}
	}
	return units
}

// place is the first turn of an order.
func (o order) place(now time.Time, p patience) turn {
	o.CreatedAt = now
	o.Shipment.Stages = []stage{}
	return o.enter(placed, "order placed", now, p)
}

// hear is the turn that an event brings. What the event says of payment and shipment is kept in any status; whether the
// order moves on is for the saga's rows. moved is false for an event that is late, or was heard before.
func (o order) hear(m messages.Message, now time.Time, p patience) (t turn, moved bool) {
	known := o.learn(m, now)
	i := slices.IndexFunc(moves, func(r move) bool { return r.in == o.Status && r.on == m.Kind() })
	if i < 0 || (moves[i].to == o.Status && known) {
		return turn{order: o}, false
	}
	r := moves[i]
	by := settledBy(m)
	if by != (hand{}) {
		r.what = "settled by the shop: " + r.what
	}
	switch {
	case !r.to.backward():
		o.Reason = "" // on its way again, or still
	case r.why != "":
		o.Reason = r.why
	}
	if r.to == o.Status {
		return o.note(r.what, now).by(by), true
	}
	return o.enter(r.to, r.what, now, p).by(by), true
}

// settledBy is whose word an event is, if nobody outside would give one.
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

// cancel is the turn that a request brings: the customer's own, or an operator's, who is then named. ok is false once the
// parcel has left.
func (o order) cancel(by hand, now time.Time, p patience) (t turn, ok bool) {
	switch back := steps[o.Status].back; {
	case o.Status.backward(): // it is on its way there, or there
		return turn{order: o}, true
	case back == "":
		return turn{order: o}, false
	default:
		what := "cancellation requested"
		o.Reason = customerRequest
		if by.Operator != "" {
			what += " by the shop"
			o.Reason = operatorRequest
		}
		return o.enter(back, what, now, p).by(by), true
	}
}

// overdue is the turn that a deadline brings. ok is false when there is none, or it has not passed.
func (o order) overdue(now time.Time, p patience) (t turn, ok bool) {
	if o.DueAt == nil || now.Before(*o.DueAt) {
		return turn{order: o}, false
	}
	s := steps[o.Status]
	passed, tries := o.Passed+1, p.tries(o.Status)
	switch {
	case o.Status.final(): // it was ended by a release that knows no DueAt
		o.DueAt = nil
		return turn{order: o}, true
	case passed > tries && s.back != "":
		o.Reason = expired
		return o.enter(s.back, "took too long, turning back", now, p), true
	}
	if passed > tries && o.AttentionSince == nil {
		o.AttentionSince = &now
		t = o.note("takes longer than it should, a person has been told", now)
	} else {
		t = turn{order: o}
	}
	t.send = append(t.send, s.asks(o))
	t.await(passed, now, p)
	return t, true
}

// enter is the turn into a status.
func (o order) enter(to status, what string, now time.Time, p patience) turn {
	o.Status = to
	o.Step++
	o.AttentionSince, o.DueAt, o.Passed = nil, nil, 0
	s := steps[to]
	if to == reserved {
		o.Payment = payment{Status: "requested", Amount: o.Total}
	}
	t := o.write(what, true, now)
	if s.asks != nil && !s.quiet {
		t.send = append(t.send, s.asks(o))
	}
	if !to.final() {
		t.await(0, now, p)
	}
	return t
}

// note is a turn that only adds to the timeline.
func (o order) note(what string, now time.Time) turn { return o.write(what, false, now) }

func (o order) write(what string, entered bool, now time.Time) turn {
	o.Seq++
	o.UpdatedAt = now
	return turn{order: o, entry: &entry{Seq: o.Seq, At: now, Status: o.Status, What: what, Entered: entered}}
}

// announce returns the events that tell others of new entries in the timeline, which go out together: one for all that lead up to
// a status with an event of its own, and one for those after it.
func (o order) announce(entries ...entry) (events []messages.Message) {
	var c messages.OrderChange
	for _, e := range entries {
		if c.Seq > 0 {
			c.Earlier = append(c.Earlier, c.OrderEntry)
		}
		c.OrderID, c.CustomerID, c.Reason = o.ID, o.CustomerID, string(o.Reason)
		c.OrderEntry = messages.OrderEntry{Seq: e.Seq, Status: string(e.Status), Entered: e.Entered, What: e.What, At: e.At}
		if tells := steps[e.Status].tells; e.Entered && tells != nil {
			events = append(events, tells(o, c))
			c = messages.OrderChange{}
		}
	}
	if c.Seq > 0 {
		events = append(events, messages.OrderStatusChanged{OrderChange: c})
	}
	return events
}

// by names in the timeline whose doing the turn is.
func (t turn) by(h hand) turn {
	t.entry.hand = h
	return t
}

// await sets the next deadline.
func (t *turn) await(passed int, now time.Time, p patience) {
	due := now.Add(p.until(t.order.Status, passed))
	t.order.DueAt, t.order.Passed = &due, passed
}

// learn takes over what an event says of payment and shipment. known is true when it was a stage heard of before.
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
			o.Payment = payment{} // it never came to a charge
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

// reached takes over what an event says of the parcel, and adds its stage in the order of time, whatever the order of arrival.
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
	if at.IsZero() { // a release before this one does not say when a shipment was cancelled
		at = now
	}
	s.Stages = append(slices.Clone(s.Stages), stage{name, at})
	slices.SortStableFunc(s.Stages, func(a, b stage) int { return a.At.Compare(b.At) })
	return false
}
