package messages

import "time"

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

// ShipmentArranged reports that the carrier has taken the job.
type ShipmentArranged struct {
	OrderID           string    `json:"order_id"`
	Carrier           string    `json:"carrier"`
	TrackingNumber    string    `json:"tracking_number"`
	EstimatedDelivery time.Time `json:"estimated_delivery"`
	At                time.Time `json:"at"`
}

// ShipmentDispatched reports that the parcel has left and cannot be called back.
type ShipmentDispatched struct {
	OrderID        string    `json:"order_id"`
	Carrier        string    `json:"carrier"`
	TrackingNumber string    `json:"tracking_number"`
	At             time.Time `json:"at"`
}

// ShipmentInTransit reports that the parcel is on its way.
type ShipmentInTransit struct {
	OrderID string    `json:"order_id"`
	At      time.Time `json:"at"`
}

// ShipmentDelivered reports that the parcel has arrived.
type ShipmentDelivered struct {
	OrderID string      `json:"order_id"`
	At      time.Time   `json:"at"`
	Settled *Settlement `json:"settled,omitempty"`
}

// ShipmentFailed reports that the parcel will not arrive: the carrier refused it, or it is back with the sender.
type ShipmentFailed struct {
	OrderID string      `json:"order_id"`
	Reason  string      `json:"reason"`
	At      time.Time   `json:"at"`
	Settled *Settlement `json:"settled,omitempty"`
}

// ShipmentCancelled reports that nothing is or will be sent for an order.
type ShipmentCancelled struct {
	OrderID string `json:"order_id"`
}

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
func (m ShipmentArranged) Subject() string    { return m.OrderID }
func (m ShipmentDispatched) Subject() string  { return m.OrderID }
func (m ShipmentInTransit) Subject() string   { return m.OrderID }
func (m ShipmentDelivered) Subject() string   { return m.OrderID }
func (m ShipmentFailed) Subject() string      { return m.OrderID }
func (m ShipmentCancelled) Subject() string   { return m.OrderID }
func (m CancellationRefused) Subject() string { return m.OrderID }

func (ArrangeShipment) command() {}
func (CancelShipment) command()  {}

// Validate wants at least one line, each with a SKU and a positive quantity.
func (m ArrangeShipment) Validate() error { return validLines(m.Lines) }
