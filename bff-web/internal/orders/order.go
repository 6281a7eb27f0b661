// Package orders is what the services say about orders, as far as pages show it, and the words for it.
package orders

import (
	"time"

	"example.com/orderflow/pkg/messages"
)

// action is what an operator did about an order.
type action struct {
	At       time.Time `json:"at"`
	Operator string    `json:"operator"`
	What     string    `json:"what"`
	Why      string    `json:"why"`
}

// Order is the part of an order of the orders service that pages show.
type Order struct {
	ID         string            `json:"id"`
	CustomerID string            `json:"customer_id"`
	Status     string            `json:"status"`
	Reason     string            `json:"reason"`
	Lines      []orderLine       `json:"lines"`
	Total      messages.Money    `json:"total"`
	Address    messages.Address  `json:"shipping_address"`
	CreatedAt  time.Time         `json:"created_at"`
	Links      map[string]string `json:"links"`
}

type orderLine struct {
	SKU       string         `json:"sku"`
	Name      string         `json:"name"`
	Quantity  int            `json:"quantity"`
	UnitPrice messages.Money `json:"unit_price"`
}

// SKUs returns the SKUs of the first lines of an order.
func (o Order) SKUs(most int) (skus []string) {
	for _, l := range o.Lines[:min(len(o.Lines), most)] {
		skus = append(skus, l.SKU)
	}
	return skus
}

// Tracking is the progress of an order.
type Tracking struct {
	OrderID  string  `json:"order_id"`
	Status   string  `json:"status"`
	Reason   string  `json:"reason"`
	Timeline []Entry `json:"timeline"`
	Payment  *struct {
		Status string         `json:"status"`
		Amount messages.Money `json:"amount"`
	} `json:"payment"`
	Shipment *struct {
		Carrier        string `json:"carrier"`
		TrackingNumber string `json:"tracking_number"`
		Stages         []struct {
			Stage string    `json:"stage"`
			At    time.Time `json:"at"`
		} `json:"stages"`
	} `json:"shipment"`
	EstimatedDelivery *time.Time `json:"estimated_delivery"`
}

// Entry is a line of the timeline, on pages and in streams.
type Entry struct {
	Seq    int       `json:"seq"`
	At     time.Time `json:"at"`
	Status string    `json:"status"`
	What   string    `json:"what"`
}

// Insight is tracking for a page: operators also see which operator has caused an entry, and why. Streams do not show it.
type Insight struct {
	Tracking
	Timeline []Authored `json:"timeline"`
	Log      []action   `json:"log"`
	TraceID  string     `json:"trace_id"`
}

// Authored is an entry with the operator who has caused it; empty: none has.
type Authored struct {
	Entry
	Operator string `json:"operator"`
	Why      string `json:"why"`
}

// Entries returns the timeline without the operators.
func (i *Insight) Entries() []Entry {
	all := make([]Entry, len(i.Timeline))
	for n, d := range i.Timeline {
		all[n] = d.Entry
	}
	return all
}
