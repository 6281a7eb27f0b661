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

// ShipmentChange is what all events about a parcel's way have in common. The event is named by the stage that the parcel has reached.
// Stages that became known together are one event, the last one's.
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

// ShipmentCancelled reports that nothing is or will be sent for an order.
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

// Validate wants at least one line, each with a SKU and a positive quantity.
func (m ArrangeShipment) Validate() error { return validLines(m.Lines) }

// ShipmentReached returns the event about a stage of a parcel's way; nil for a stage that this release does not know.
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

// Unfold returns what m tells as one event a stage, in the order in which they were reached. A message that is not about several
// stages is returned alone.
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

const shipmentKind = "shipping.shipment_" // and a stage
