package shop

import (
	"context"
	"crypto/rand"
	"errors"
	"net/http"
	"net/url"
	"slices"

	"example.com/orderflow/local/money"
)

// Money is an amount in minor units, such as cents.
type Money struct {
	Amount   int64  `json:"amount"`
	Currency string `json:"currency"`
}

func (m Money) String() string { return money.Text(m.Amount, m.Currency) }

// Product is a product as the shop shows it.
type Product struct {
	SKU             string `json:"sku"`
	Name            string `json:"name"`
	Description     string `json:"description"`
	Price           Money  `json:"price"`
	Available       int    `json:"available"` // units
	ReorderPoint    int    `json:"reorder_point"`
	ReorderQuantity int    `json:"reorder_quantity"` // 0: it is never reordered
}

// Products reads all products, page by page. They are as of now, and not from the gateway's cache.
func (c *Client) Products(ctx context.Context) (all []Product, err error) {
	for query := (url.Values{}); ; {
		var page struct {
			Items      []Product `json:"items"`
			NextCursor string    `json:"next_cursor"`
		}
		if err := c.Call(ctx, http.MethodGet, "/api/products?"+query.Encode(), nil, &page, "Cache-Control", "no-cache"); err != nil {
			return nil, err
		}
		all = append(all, page.Items...)
		if page.NextCursor == "" {
			return all, nil
		}
		query.Set("cursor", page.NextCursor)
	}
}

// PutProduct makes or changes a product. The caller has to be an operator. The available units stay as they are.
func (c *Client) PutProduct(ctx context.Context, p Product) error {
	return c.Call(ctx, http.MethodPut, "/api/products/"+p.SKU, struct {
		Name            string `json:"name"`
		Description     string `json:"description"`
		Price           Money  `json:"price"`
		ReorderPoint    int    `json:"reorder_point"`
		ReorderQuantity int    `json:"reorder_quantity"`
	}{p.Name, p.Description, p.Price, p.ReorderPoint, p.ReorderQuantity}, nil)
}

// AddStock adds units of a product, at most a million at once, only once for each key. The caller has to be an operator.
func (c *Client) AddStock(ctx context.Context, key, sku string, units int) error {
	return c.Call(ctx, http.MethodPost, "/api/products/"+sku+"/stock", struct {
		Add int `json:"add"`
	}{units}, nil, "Idempotency-Key", key)
}

// Orderable reports whether orders knows a product, of which it learns a moment after inventory does. It asks for an order that
// also has a product that cannot exist, so nothing is ordered.
func (c *Client) Orderable(ctx context.Context, sku string) (bool, error) {
	_, err := c.Place(ctx, rand.Text(), Order{
		Lines: []Line{{SKU: sku, Quantity: 1}, {SKU: "NO-SUCH-PRODUCT", Quantity: 1}}, PaymentMethod: "tok_visa",
		Address: Address{Name: "Nobody", Street: "Nowhere", City: "Berlin", PostalCode: "10115", Country: "DE"},
	})
	if p, refused := errors.AsType[*Problem](err); refused && p.Status == http.StatusUnprocessableEntity {
		return !slices.ContainsFunc(p.Errors, func(f Field) bool { return f.Field == "lines[0].sku" }), nil
	}
	return false, err
}
