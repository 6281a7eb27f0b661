package main

import (
	"time"

	"example.com/orderflow/pkg/messages"
)

// status is where an order stands. Forward it goes placed (perhaps backordered), reserved, paid, shipped, delivered;
// backward it undoes what was done in reverse order: withdrawing, refunding, releasing, cancelled.
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

// reason is why an order was turned back.
type reason string

const (
	outOfStock      reason = "out_of_stock"
	paymentDeclined reason = "payment_declined"
	paymentReturned reason = "payment_returned" // a person gave it back at the provider before anything was shipped
	undeliverable   reason = "undeliverable"
	customerRequest reason = "customer_request"
	operatorRequest reason = "operator_request"
	expired         reason = "expired"
)

// step is what an order does in a status.
type step struct {
	asks  func(order) messages.Message                       // sent on entering the status, and again whenever its patience is over
	quiet bool                                               // not on entering: the answer is on its way, as an answer to an earlier step
	waits func(patience) time.Duration                       // until it asks again; doubled each time
	back  status                                             // where a cancellation, or running out of patience, turns it
	tells func(order, messages.OrderChange) messages.Message // the event that announces it; nil: a messages.OrderStatusChanged
}

// steps says what happens in each status. A status with nothing to wait for is final. One with nowhere to turn back to
// asks for ever and is shown to a person once its patience is over.
var steps = map[status]step{
	placed:      {asks: reserveStock, waits: patience.step, back: releasing, tells: orderPlaced},
	backordered: {asks: reserveStock, waits: patience.backorder, back: releasing, quiet: true},
	reserved:    {asks: takePayment, waits: patience.step, back: refunding},
	paid:        {asks: arrangeShipment, waits: patience.dispatch, back: withdrawing},
	shipped:     {asks: arrangeShipment, waits: patience.delivery, quiet: true}, // asked again, shipping repeats its last word
	delivered:   {tells: orderCompleted},

	withdrawing: {asks: cancelShipment, waits: patience.step},
	refunding:   {asks: refundPayment, waits: patience.step},
	releasing:   {asks: releaseStock, waits: patience.step},
	cancelled:   {tells: orderCancelled},
}

// move is one row of the saga: an order in a status hears an event and goes on.
type move struct {
	in   status
	on   string // the event's kind
	to   status // the same status: only the timeline grows
	why  reason // the reason from now on; empty: as it was
	what string // for the timeline
}

// moves is the saga. An event for which there is no row is late or was heard before; it changes nothing.
var moves = []move{
	{in: placed, on: kind[messages.StockReserved](), to: reserved, what: "stock reserved, asking for payment"},
	{in: placed, on: kind[messages.StockBackordered](), to: backordered, what: "waiting for new stock"},
	{in: placed, on: kind[messages.StockRejected](), to: cancelled, why: outOfStock, what: "out of stock"},

	{in: backordered, on: kind[messages.StockReserved](), to: reserved, what: "new stock reserved, asking for payment"},
	{in: backordered, on: kind[messages.StockRejected](), to: cancelled, why: outOfStock, what: "out of stock: no more will come"},

	{in: reserved, on: kind[messages.PaymentTaken](), to: paid, what: "paid, arranging shipment"},
	{in: reserved, on: kind[messages.PaymentDeclined](), to: releasing, why: paymentDeclined, what: "payment declined, giving the stock back"},
	{in: reserved, on: kind[messages.PaymentRefunded](), to: releasing, why: paymentReturned, what: "payment given back at the provider, giving the stock back"},

	{in: paid, on: kind[messages.ShipmentArranged](), to: paid, what: "shipment arranged with the carrier"},
	{in: paid, on: kind[messages.ShipmentDispatched](), to: shipped, what: "dispatched"},
	{in: paid, on: kind[messages.ShipmentInTransit](), to: shipped, what: "in transit"}, // overtook the dispatch
	{in: paid, on: kind[messages.ShipmentDelivered](), to: delivered, what: "delivered"},
	{in: paid, on: kind[messages.ShipmentFailed](), to: refunding, why: undeliverable, what: "cannot be delivered, refunding"},

	{in: shipped, on: kind[messages.ShipmentDispatched](), to: shipped, what: "dispatched"}, // after a refused cancellation
	{in: shipped, on: kind[messages.ShipmentInTransit](), to: shipped, what: "in transit"},
	{in: shipped, on: kind[messages.ShipmentDelivered](), to: delivered, what: "delivered"},
	{in: shipped, on: kind[messages.ShipmentFailed](), to: refunding, why: undeliverable, what: "could not be delivered, refunding"},

	{in: withdrawing, on: kind[messages.ShipmentCancelled](), to: refunding, what: "shipment called back, refunding"},
	{in: withdrawing, on: kind[messages.ShipmentFailed](), to: refunding, what: "will not arrive, refunding"},
	{in: withdrawing, on: kind[messages.CancellationRefused](), to: shipped, what: "too late to cancel: already dispatched"},
	{in: withdrawing, on: kind[messages.ShipmentDispatched](), to: shipped, what: "too late to cancel: dispatched"},
	{in: withdrawing, on: kind[messages.ShipmentInTransit](), to: shipped, what: "too late to cancel: in transit"},
	{in: withdrawing, on: kind[messages.ShipmentDelivered](), to: delivered, what: "too late to cancel: delivered"},

	{in: refunding, on: kind[messages.PaymentRefunded](), to: releasing, what: "payment undone, giving the stock back"},

	{in: releasing, on: kind[messages.StockReleased](), to: cancelled, what: "cancelled"},
}

func kind[M messages.Message]() string {
	var m M
	return m.Kind()
}

func (s status) final() bool { return steps[s].waits == nil }

// backward reports whether the order is being undone.
func (s status) backward() bool {
	return s == withdrawing || s == refunding || s == releasing || s == cancelled
}

// patience is how long an order waits in a status before it asks again. The wait doubles each time, up to Longest.
type patience struct {
	Step      time.Duration `env:"STEP_PATIENCE" envDefault:"1m"`       // for stock, payment, and each step back
	Backorder time.Duration `env:"BACKORDER_PATIENCE" envDefault:"24h"` // for new stock
	Dispatch  time.Duration `env:"DISPATCH_PATIENCE" envDefault:"1h"`   // for the carrier to fetch the parcel
	Delivery  time.Duration `env:"DELIVERY_PATIENCE" envDefault:"72h"`  // for the parcel to arrive
	Longest   time.Duration `env:"LONGEST_PATIENCE" envDefault:"24h"`   // the wait doubles each time, up to this
	Tries     int           `env:"PATIENCE_TRIES" envDefault:"5"`       // deadlines in one status before it turns back or a person should look; in a step back 2, or fewer
}

// backTries is how many deadlines pass in a step back before a person should look. It takes a second when all is well, and
// nothing but its answer ends it.
const backTries = 2

func (p patience) tries(s status) int {
	if s.backward() {
		return min(p.Tries, backTries)
	}
	return p.Tries
}

func (p patience) step() time.Duration      { return p.Step }
func (p patience) backorder() time.Duration { return p.Backorder }
func (p patience) dispatch() time.Duration  { return p.Dispatch }
func (p patience) delivery() time.Duration  { return p.Delivery }

// until is how long the order waits in a status after a number of deadlines have passed there.
func (p patience) until(s status, passed int) time.Duration {
	d := steps[s].waits(p)
	for range passed {
		if d *= 2; d >= p.Longest {
			return max(p.Longest, steps[s].waits(p))
		}
	}
	return d
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
