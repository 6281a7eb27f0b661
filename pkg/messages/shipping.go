package messages

import (
	"strings"
	"time"
)

// ArrangeShipment tells shipping to send an order's lines to its address.
type ArrangeShipment struct {
	OrderID string  `json:"order_id"`
	Address Address `json:"address"`
	Lines   []Line  `json:"lines"`
}

// CancelShipment tells shipping not to send an order, if it is not under way yet.
type CancelShipment struct {
	OrderID string `json:"order_id"`
}

// ShipmentChange is the part that all events about a parcel have in common. The event is named after the stage that the
// parcel has reached. When several stages became known together there is one event, of the last stage.
type ShipmentChange struct {
	OrderID           string          `json:"order_id"`
	Carrier           string          `json:"carrier,omitempty"`
	TrackingNumber    string          `json:"tracking_number,omitempty"`
	EstimatedDelivery time.Time       `json:"estimated_delivery,omitzero"`
	At                time.Time       `json:"at"`
	Reason            string          `json:"reason,omitempty"`  // why the parcel will not arrive
	Settled           *Settlement     `json:"settled,omitempty"` // an operator says so, not the carrier
	Earlier           []ShipmentStage `json:"earlier,omitempty"` // stages that were reached before and have no event of their own
}

// ShipmentStage is a stage of a parcel's way, and when it was reached.
type ShipmentStage struct {
	Stage string    `json:"stage"`
	At    time.Time `json:"at"`
}

// ShipmentArranged reports that the carrier has taken the job.
type ShipmentArranged struct{ ShipmentChange }

// ShipmentDispatched reports that the parcel has left and cannot be called back.
type ShipmentDispatched struct{ ShipmentChange }

// ShipmentInTransit reports that the parcel is on its way.
type ShipmentInTransit struct{ ShipmentChange }

// ShipmentDelivered reports that the parcel has arrived.
type ShipmentDelivered struct{ ShipmentChange }

// ShipmentFailed reports that the parcel will not arrive: the carrier refused it, or it is back with the sender.
type ShipmentFailed struct{ ShipmentChange }

// ShipmentCancelled reports that nothing was or will be sent for an order.
type ShipmentCancelled struct{ ShipmentChange }

// CancellationRefused reports that the parcel had left before it could be called back.
type CancellationRefused struct {
	OrderID string `json:"order_id"`
}

func (ArrangeShipment) Kind() string     { return "shipping.arrange_shipment" }
func (CancelShipment) Kind() string      { return "shipping.cancel_shipment" }
func (ShipmentArranged) Kind() string    { return "shipping.shipment_arranged" }
func (ShipmentDispatched) Kind() string  { return "shipping.shipment_dispatched" }
func (ShipmentInTransit) Kind() string   { return "shipping.shipment_in_transit" }
func (ShipmentDelivered) Kind() string   { return "shipping.shipment_delivered" }
func (ShipmentFailed) Kind() string      { return "shipping.shipment_failed" }
func (ShipmentCancelled) Kind() string   { return "shipping.shipment_cancelled" }
func (CancellationRefused) Kind() string { return "shipping.cancellation_refused" }

func (m ArrangeShipment) Subject() string     { return m.OrderID }
func (m CancelShipment) Subject() string      { return m.OrderID }
func (c ShipmentChange) Subject() string      { return c.OrderID }
func (m CancellationRefused) Subject() string { return m.OrderID }

func (ArrangeShipment) command() {}
func (CancelShipment) command()  {}

// Validate checks that there is at least one line, each with a SKU and a positive quantity.
func (m ArrangeShipment) Validate() error { return validLines(m.Lines) }

// ShipmentReached returns the event for a stage of a parcel; nil for a stage that this release does not know.
func ShipmentReached(stage string, c ShipmentChange) Message {
	switch stage {
	case "arranged":
		return ShipmentArranged{c}
	case "dispatched":
		return ShipmentDispatched{c}
	case "in_transit":
		return ShipmentInTransit{c}
	case "delivered":
		return ShipmentDelivered{c}
	case "failed":
		return ShipmentFailed{c}
	case "cancelled":
		return ShipmentCancelled{c}
	default:
		return nil
	}
}

// Unfold returns the events of m, one for each stage, in the order in which the stages were reached. A message without
// several stages is returned alone.
func Unfold(m Message) (events []Message) {
	told, ok := m.(interface{ change() ShipmentChange })
	if !ok {
		return []Message{m}
	}
	last := told.change()
	early := last
	early.Reason, early.Settled, early.Earlier = "", nil, nil
	for _, s := range last.Earlier {
		early.At = s.At
		if e := ShipmentReached(s.Stage, early); e != nil {
			events = append(events, e)
		}
	}
	last.Earlier = nil
	return append(events, ShipmentReached(strings.TrimPrefix(m.Kind(), shipmentKind), last))
}

func (c ShipmentChange) change() ShipmentChange { return c }

const shipmentKind = "shipping.shipment_" // followed by a stage
