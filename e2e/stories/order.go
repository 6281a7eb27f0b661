package stories

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"example.com/orderflow/local/shop"
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

// Order is the order as the API wants it.
func (w Wish) Order() shop.Order {
	return shop.Order{
		Lines:         []shop.Line{{SKU: w.SKU, Quantity: cmp.Or(w.Quantity, 1)}},
		PaymentMethod: cmp.Or(w.Card, "tok_visa"), AllowBackorder: w.Backorder,
		Address: shop.Address{Name: "Alice", Street: Street, City: "Berlin", PostalCode: cmp.Or(w.Postal, "10115"), Country: "DE"},
	}
}

// JSON is the body of the request that places the order, for requests that change it.
func (w Wish) JSON() string {
	text, err := json.Marshal(w.Order())
	if err != nil {
		panic(err) // it has only texts and numbers
	}
	return string(text)
}

// Place places an order as alice and returns its id.
func (c *Client) Place(w Wish) string {
	c.Helper()
	placed, err := c.As("alice").Place(c.Context(), uuid.NewString(), w.Order())
	if err != nil {
		c.Fatal(err)
	}
	if placed.Status != "placed" {
		c.Errorf("a new order is %s", placed.Status)
	}
	return placed.ID
}

// Cancel requests the cancellation of an order as alice.
func (c *Client) Cancel(id string) (Answer, error) {
	return c.Call("alice", http.MethodPost, "/api/orders/"+id+"/cancellation", "")
}

// Path is the statuses that an order has gone through.
func Path(t shop.Tracking) []string {
	var path []string
	for _, e := range t.Timeline {
		if len(path) == 0 || path[len(path)-1] != e.Status {
			path = append(path, e.Status)
		}
	}
	return path
}

// Look reads the tracking of an order as alice. It is not found while the services are being restarted.
func (c *Client) Look(id string) (t shop.Tracking, found bool) {
	t, err := c.As("alice").Track(context.Background(), id)
	return t, err == nil
}

// Track is Look for callers that need an answer.
func (c *Client) Track(id string) shop.Tracking {
	c.Helper()
	t, err := c.As("alice").Track(c.Context(), id)
	if err != nil {
		c.Fatal(err)
	}
	return t
}

// follow waits until a condition holds for the tracking of an order.
func (c *Client) follow(id, what string, holds func(shop.Tracking) bool) shop.Tracking {
	c.Helper()
	var t shop.Tracking
	Until(c, "order "+id+" is "+what, func() (found bool) {
		t, found = c.Look(id)
		return found && holds(t)
	})
	return t
}

// End waits until an order is final.
func (c *Client) End(id string) shop.Tracking {
	c.Helper()
	return c.follow(id, "final", shop.Tracking.Final)
}

// Reach waits until an order has, or has had, a status.
func (c *Client) Reach(id, status string) {
	c.Helper()
	c.follow(id, status, func(t shop.Tracking) bool { return slices.Contains(Path(t), status) })
}

// Product makes a product that no other test uses, and waits until it can be ordered.
func (c *Client) Product(stock, reorderPoint, reorderQuantity int) (sku string) {
	c.Helper()
	sku = "T-" + strings.ToUpper(uuid.NewString()[:8])
	olga := c.As("olga")
	err := olga.PutProduct(c.Context(), shop.Product{
		SKU: sku, Name: "Test product", Description: "For a test.", Price: shop.Money{Amount: 1000, Currency: "EUR"},
		Reorder: shop.Reorder{ReorderPoint: reorderPoint, ReorderQuantity: reorderQuantity},
	})
	if err == nil && stock > 0 {
		err = olga.AddStock(c.Context(), uuid.NewString(), sku, stock)
	}
	if err != nil {
		c.Fatal(err)
	}
	// Orders learns of it from an event; one replica that handles it is enough, because all share the database.
	Until(c, "orders knows "+sku, func() bool {
		known, err := c.As("alice").Orderable(c.Context(), sku)
		return err == nil && known
	})
	return sku
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
