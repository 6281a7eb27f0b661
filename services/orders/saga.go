package main

import (
	"slices"
	"time"

	"example.com/orderflow/pkg/messages"
)

// status names a state of the saga. An order goes forward through placed (perhaps backordered), reserved, paid, shipped,
// delivered. Compensation undoes in reverse order what was done: withdrawing, refunding, releasing, cancelled.
//
// The pivot is the dispatch of the parcel. What is before it can be compensated. After it the order only goes forward: its command
// is sent again until it is done (Chris Richardson, Microservices Patterns, 2018, chapter 4). The exception is a parcel that cannot
// be delivered: then the money is refunded.
type status string

const (
	placed      status = "placed"
	backordered status = "backordered"
	reserved    status = "reserved"
	paid        status = "paid"
	shipped     status = "shipped"
	delivered   status = "delivered"

	withdrawing status = "withdrawing"
	refunding   status = "refunding"
	releasing   status = "releasing"
	cancelled   status = "cancelled"
)

// reason is why an order is compensated.
type reason string

const (
	outOfStock      reason = "out_of_stock"
	paymentDeclined reason = "payment_declined"
	paymentReturned reason = "payment_returned" // a person refunded it at the provider before anything was shipped
	undeliverable   reason = "undeliverable"
	customerRequest reason = "customer_request"
	operatorRequest reason = "operator_request"
	expired         reason = "expired"
)

// state is what an order does in one status, and the transitions out of it.
type state struct {
	command      func(order) messages.Message                       // sent on entering the state, and again at each timeout
	onlyAgain    bool                                               // the command is not sent on entering, because an earlier command will be answered
	timeout      func(timeouts) time.Duration                       // until the command is sent again, doubled each time; nil: the state is final
	compensation status                                             // the status after a cancellation or the last timeout; empty: the command is repeated for ever
	event        func(order, messages.OrderChange) messages.Message // announces the state; nil: messages.OrderStatusChanged
	transitions  []transition
}

// transition says to which status an event takes an order.
type transition struct {
	on   string // the event's kind
	to   status // if it is the same status, only the timeline grows
	why  reason // the reason from then on; empty: unchanged
	what string // for the timeline
}

// saga holds every state. An event without a transition in the order's state is late or a duplicate: it changes nothing.
var saga = map[status]state{
	placed: {
		command: reserveStock, timeout: timeouts.step, compensation: releasing, event: orderPlaced,
		transitions: []transition{
			{on: kind[messages.StockReserved](), to: reserved, what: "stock reserved, asking for payment"},
			{on: kind[messages.StockBackordered](), to: backordered, what: "waiting for new stock"},
			{on: kind[messages.StockRejected](), to: cancelled, why: outOfStock, what: "out of stock"},
		},
	},
	backordered: {
		command: reserveStock, onlyAgain: true, timeout: timeouts.backorder, compensation: releasing,
		transitions: []transition{
			{on: kind[messages.StockReserved](), to: reserved, what: "new stock reserved, asking for payment"},
			{on: kind[messages.StockRejected](), to: cancelled, why: outOfStock, what: "out of stock: no more will come"},
		},
	},
	reserved: {
		command: takePayment, timeout: timeouts.step, compensation: refunding,
		transitions: []transition{
			{on: kind[messages.PaymentTaken](), to: paid, what: "paid, arranging shipment"},
			{on: kind[messages.PaymentDeclined](), to: releasing, why: paymentDeclined, what: "payment declined, giving the stock back"},
			{on: kind[messages.PaymentRefunded](), to: releasing, why: paymentReturned, what: "payment given back at the provider, giving the stock back"},
		},
	},
	paid: {
		command: arrangeShipment, timeout: timeouts.dispatch, compensation: withdrawing,
		transitions: []transition{
			{on: kind[messages.ShipmentArranged](), to: paid, what: "shipment arranged with the carrier"},
			{on: kind[messages.ShipmentDispatched](), to: shipped, what: "dispatched"},
			{on: kind[messages.ShipmentInTransit](), to: shipped, what: "in transit"}, // it overtook the dispatch
			{on: kind[messages.ShipmentDelivered](), to: delivered, what: "delivered"},
			{on: kind[messages.ShipmentFailed](), to: refunding, why: undeliverable, what: "cannot be delivered, refunding"},
		},
	},
	shipped: {
		command: arrangeShipment, onlyAgain: true, timeout: timeouts.delivery, // asked again, shipping repeats its latest event
		transitions: []transition{
			{on: kind[messages.ShipmentDispatched](), to: shipped, what: "dispatched"}, // after a refused cancellation
			{on: kind[messages.ShipmentInTransit](), to: shipped, what: "in transit"},
			{on: kind[messages.ShipmentDelivered](), to: delivered, what: "delivered"},
			{on: kind[messages.ShipmentFailed](), to: refunding, why: undeliverable, what: "could not be delivered, refunding"},
		},
	},
	delivered: {event: orderCompleted},

	withdrawing: {
		command: cancelShipment, timeout: timeouts.step,
		transitions: []transition{
			{on: kind[messages.ShipmentCancelled](), to: refunding, what: "shipment called back, refunding"},
			{on: kind[messages.ShipmentFailed](), to: refunding, what: "will not arrive, refunding"},
			{on: kind[messages.CancellationRefused](), to: shipped, what: "too late to cancel: already dispatched"},
			{on: kind[messages.ShipmentDispatched](), to: shipped, what: "too late to cancel: dispatched"},
			{on: kind[messages.ShipmentInTransit](), to: shipped, what: "too late to cancel: in transit"},
			{on: kind[messages.ShipmentDelivered](), to: delivered, what: "too late to cancel: delivered"},
		},
	},
	refunding: {
		command: refundPayment, timeout: timeouts.step,
		transitions: []transition{
			{on: kind[messages.PaymentRefunded](), to: releasing, what: "payment undone, giving the stock back"},
		},
	},
	releasing: {
		command: releaseStock, timeout: timeouts.step,
		transitions: []transition{
			{on: kind[messages.StockReleased](), to: cancelled, what: "cancelled"},
		},
	},
	cancelled: {event: orderCancelled},
}

func kind[M messages.Message]() string {
	var m M
	return m.Kind()
}

// on returns the transition for an event; ok is false if there is none.
func (s state) on(kind string) (t transition, ok bool) {
	i := slices.IndexFunc(s.transitions, func(t transition) bool { return t.on == kind })
	if i < 0 {
		return transition{}, false
	}
	return s.transitions[i], true
}

func (s status) final() bool { return saga[s].timeout == nil }

// compensating reports whether the order is being compensated, or has been.
func (s status) compensating() bool {
	return s == withdrawing || s == refunding || s == releasing || s == cancelled
}

// timeouts are how long an order waits in a state before it sends its command again. The wait doubles each time, up to Longest.
type timeouts struct {
	Step      time.Duration `env:"STEP_TIMEOUT" envDefault:"1m"`       // how long an order waits before it asks again: for stock, for payment, and in each state of the compensation
	Backorder time.Duration `env:"BACKORDER_TIMEOUT" envDefault:"24h"` // the same, for new stock
	Dispatch  time.Duration `env:"DISPATCH_TIMEOUT" envDefault:"1h"`   // the same, for the carrier to fetch the parcel
	Delivery  time.Duration `env:"DELIVERY_TIMEOUT" envDefault:"72h"`  // the same, for the parcel to arrive
	Longest   time.Duration `env:"LONGEST_TIMEOUT" envDefault:"24h"`   // these waits double each time, up to this one; a first wait that is longer stays as it is
	Tries     int           `env:"TIMEOUT_TRIES" envDefault:"5"`       // so many timeouts in one state may pass; at the next one the order is compensated or needs attention. In a compensation it is 2, or fewer
}

// compensationTries is how many timeouts pass in a compensating state before the order needs attention. Normally such a state
// takes a second, and only the answer ends it.
const compensationTries = 2

func (t timeouts) tries(s status) int {
	if s.compensating() {
		return min(t.Tries, compensationTries)
	}
	return t.Tries
}

func (t timeouts) step() time.Duration      { return t.Step }
func (t timeouts) backorder() time.Duration { return t.Backorder }
func (t timeouts) dispatch() time.Duration  { return t.Dispatch }
func (t timeouts) delivery() time.Duration  { return t.Delivery }

// after returns how long the order waits in a state after the given number of timeouts.
func (t timeouts) after(s status, passed int) time.Duration {
	d := saga[s].timeout(t)
	for range passed {
		if d *= 2; d >= t.Longest {
			return max(t.Longest, saga[s].timeout(t))
		}
	}
	return d
}

// entered returns when an order has entered its state, as its deadline tells: an order waits from one deadline to the next. An
// operator who makes it ask at once begins the wait again, so such an order seems to be younger.
func (o order) entered(t timeouts) time.Time {
	at := *o.DueAt
	for passed := range o.Passed + 1 {
		at = at.Add(-t.after(o.Status, passed))
	}
	return at
}

func reserveStock(o order) messages.Message {
	return messages.ReserveStock{OrderID: o.ID, Lines: o.units(), AllowBackorder: o.AllowBackorder}
}

func takePayment(o order) messages.Message {
	return messages.TakePayment{OrderID: o.ID, Amount: o.Total, Method: o.PaymentMethod}
}

func arrangeShipment(o order) messages.Message {
	return messages.ArrangeShipment{OrderID: o.ID, Address: o.ShippingAddress, Lines: o.units()}
}

func cancelShipment(o order) messages.Message { return messages.CancelShipment{OrderID: o.ID} }
func refundPayment(o order) messages.Message  { return messages.RefundPayment{OrderID: o.ID} }
func releaseStock(o order) messages.Message   { return messages.ReleaseStock{OrderID: o.ID} }

func orderPlaced(o order, c messages.OrderChange) messages.Message {
	return messages.OrderPlaced{OrderChange: c, Lines: o.units(), Total: o.Total}
}

func orderCompleted(_ order, c messages.OrderChange) messages.Message {
	return messages.OrderCompleted{OrderChange: c}
}

func orderCancelled(_ order, c messages.OrderChange) messages.Message {
	return messages.OrderCancelled{OrderChange: c}
}
