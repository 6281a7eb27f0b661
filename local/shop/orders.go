package shop

import (
	"context"
	"net/http"
	"time"
)

// Order is what a customer orders.
type Order struct {
	Lines          []Line  `json:"lines"`
	PaymentMethod  string  `json:"payment_method"`
	AllowBackorder bool    `json:"allow_backorder"`
	Address        Address `json:"shipping_address"`
}

// Line is a product and how many units of it are ordered.
type Line struct {
	SKU      string `json:"sku"`
	Quantity int    `json:"quantity"`
}

// Address is where the parcel goes. The country is a code of ISO 3166-1.
type Address struct {
	Name       string `json:"name"`
	Street     string `json:"street"`
	City       string `json:"city"`
	PostalCode string `json:"postal_code"`
	Country    string `json:"country"`
}

// Placed is an order that the shop has accepted.
type Placed struct {
	ID     string `json:"id"`
	Status string `json:"status"`
}

// Place places an order. The key names it in the caller's books: under one key there is one order, however often it is sent, even
// if the caller has died in between. So a caller writes the key down first.
func (c *Client) Place(ctx context.Context, key string, o Order) (placed Placed, err error) {
	err = c.Call(ctx, http.MethodPost, "/api/orders", o, &placed, "Idempotency-Key", key)
	return placed, err
}

// Cancel asks for the cancellation of an order. It is a Problem with status 409 if that is too late. To ask twice is the same as
// to ask once, so the order's id is a good key.
func (c *Client) Cancel(ctx context.Context, id string) error {
	return c.Call(ctx, http.MethodPost, pathOf(id)+"/cancellation", nil, nil, "Idempotency-Key", id)
}

// Tracking is the progress of an order.
type Tracking struct {
	OrderID  string    `json:"order_id"`
	Status   string    `json:"status"`
	Reason   string    `json:"reason"` // of a cancellation
	Timeline []Entry   `json:"timeline"`
	Payment  *Payment  `json:"payment"`  // nil before it is requested
	Shipment *Shipment `json:"shipment"` // nil before it is arranged
}

// Entry is a line of an order's timeline.
type Entry struct {
	Seq    int       `json:"seq"` // 1, 2, …
	At     time.Time `json:"at"`
	Status string    `json:"status"` // of the order from then on
	Event  string    `json:"event"`  // what happened, for programs
	What   string    `json:"what"`   // the same for people
}

// Payment is the payment of an order.
type Payment struct {
	Status string `json:"status"`
	Amount Money  `json:"amount"`
}

// Shipment is the parcel of an order.
type Shipment struct {
	Carrier        string `json:"carrier"`
	TrackingNumber string `json:"tracking_number"`
	Stages         []struct {
		Stage string `json:"stage"`
	} `json:"stages"`
}

// Final reports whether the order has ended.
func (t Tracking) Final() bool { return final(t.Status) }

func final(status string) bool { return status == "delivered" || status == "cancelled" }

// Track reads the progress of an order.
func (c *Client) Track(ctx context.Context, id string) (t Tracking, err error) {
	err = c.Call(ctx, http.MethodGet, pathOf(id)+"/tracking", nil, &t)
	return t, err
}

func pathOf(id string) string { return "/api/orders/" + id }
