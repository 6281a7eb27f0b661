package stories

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// Wish is the content of an order. The zero values of all fields but the SKU are useful.
type Wish struct {
	SKU       string
	Quantity  int
	Card      string // default tok_visa
	Postal    string // default 10115
	Backorder bool
}

// Street is the street of all addresses.
const Street = "1 Main St"

// JSON is the body of the request that places the order.
func (w Wish) JSON() string {
	return fmt.Sprintf(`{"lines":[{"sku":%q,"quantity":%d}],"payment_method":%q,"allow_backorder":%t,
		"shipping_address":{"name":"Alice","street":%q,"city":"Berlin","postal_code":%q,"country":"DE"}}`,
		w.SKU, cmp.Or(w.Quantity, 1), cmp.Or(w.Card, "tok_visa"), w.Backorder, Street, cmp.Or(w.Postal, "10115"))
}

// Place places an order as alice and returns its id.
func (c *Client) Place(w Wish) string {
	c.Helper()
	var o struct{ ID, Status string }
	c.Must(http.StatusAccepted, "alice", http.MethodPost, "/api/orders", w.JSON(), "Idempotency-Key", uuid.NewString()).Into(c, &o)
	if o.Status != "placed" {
		c.Errorf("a new order is %s", o.Status)
	}
	return o.ID
}

// Cancel requests the cancellation of an order as alice.
func (c *Client) Cancel(id string) (Answer, error) {
	return c.Call("alice", http.MethodPost, "/api/orders/"+id+"/cancellation", "")
}

// Tracking is the API's answer about an order.
type Tracking struct {
	Status, Reason string
	Timeline       []struct {
		Seq          int
		Status, What string
	}
	Payment *struct {
		Status string
		Amount struct{ Amount int64 }
	}
	Shipment *struct {
		Carrier        string
		TrackingNumber string `json:"tracking_number"`
		Stages         []struct{ Stage string }
	}
}

// Path is the statuses that the order has gone through.
func (t Tracking) Path() []string {
	var path []string
	for _, e := range t.Timeline {
		if len(path) == 0 || path[len(path)-1] != e.Status {
			path = append(path, e.Status)
		}
	}
	return path
}

// Final reports whether the order has ended.
func (t Tracking) Final() bool { return t.Status == "delivered" || t.Status == "cancelled" }

// Look reads the tracking of an order as alice. It is not found while the services are being restarted.
func (c *Client) Look(id string) (t Tracking, found bool) {
	a, err := c.Call("alice", http.MethodGet, "/api/orders/"+id+"/tracking", "")
	if err != nil || a.Status != http.StatusOK {
		return Tracking{}, false
	}
	return t, json.Unmarshal(a.Body, &t) == nil
}

// Track is Look for callers that need an answer.
func (c *Client) Track(id string) Tracking {
	c.Helper()
	var t Tracking
	c.Must(http.StatusOK, "alice", http.MethodGet, "/api/orders/"+id+"/tracking", "").Into(c, &t)
	return t
}

// follow waits until a condition holds for the tracking of an order.
func (c *Client) follow(id, what string, holds func(Tracking) bool) Tracking {
	c.Helper()
	var t Tracking
	Until(c, "order "+id+" is "+what, func() (found bool) {
		t, found = c.Look(id)
		return found && holds(t)
	})
	return t
}

// End waits until an order is final.
func (c *Client) End(id string) Tracking {
	c.Helper()
	return c.follow(id, "final", Tracking.Final)
}

// Reach waits until an order has, or has had, a status.
func (c *Client) Reach(id, status string) {
	c.Helper()
	c.follow(id, status, func(t Tracking) bool { return slices.Contains(t.Path(), status) })
}

// Product makes a product that no other test uses, and waits until it can be ordered.
func (c *Client) Product(stock, reorderPoint, reorderQuantity int) (sku string) {
	c.Helper()
	sku = "T-" + strings.ToUpper(uuid.NewString()[:8])
	c.Must(http.StatusCreated, "olga", http.MethodPut, "/api/products/"+sku, fmt.Sprintf(
		`{"name":"Test product","description":"For a test.","price":{"amount":1000,"currency":"EUR"},"reorder_point":%d,"reorder_quantity":%d}`, reorderPoint, reorderQuantity))
	if stock > 0 {
		a, err := c.Call("olga", http.MethodPost, "/api/products/"+sku+"/stock", fmt.Sprintf(`{"add":%d}`, stock), "Idempotency-Key", uuid.NewString())
		if err != nil || a.Status/100 != 2 {
			c.Fatalf("add stock: %v %d %s", err, a.Status, a.Body)
		}
	}
	// Orders learns of it from an event; one replica that handles it is enough, because all share the database.
	Until(c, "orders knows "+sku, func() bool { return c.known(sku) })
	return sku
}

// known asks orders whether it knows a product, with an order that also contains an unknown one.
func (c *Client) known(sku string) bool {
	c.Helper()
	a, err := c.Call("alice", http.MethodPost, "/api/orders", strings.Replace(Wish{SKU: sku}.JSON(), `"lines":[`, `"lines":[{"sku":"NO-SUCH","quantity":1},`, 1), "Idempotency-Key", uuid.NewString())
	return err == nil && a.Status == http.StatusUnprocessableEntity && !strings.Contains(string(a.Body), "lines[1]")
}

// Available is how many units of a product can be ordered.
func (c *Client) Available(sku string) int {
	c.Helper()
	var p struct{ Available int }
	c.Must(http.StatusOK, "", http.MethodGet, "/api/products/"+sku, "").Into(c, &p)
	return p.Available
}

// UnderWay counts the orders that have not ended, in the database of orders.
func UnderWay(ctx context.Context, database string) (n int, err error) {
	conn, err := pgx.Connect(ctx, database)
	if err != nil {
		return 0, err
	}
	defer conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // only read
	err = conn.QueryRow(ctx, `SELECT count(*) FROM orders WHERE status NOT IN ('delivered', 'cancelled')`).Scan(&n)
	return n, err
}
