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
	SKU         string `json:"sku"`
	Name        string `json:"name"`
	Description string `json:"description"`
	Price       Money  `json:"price"`
	Available   int    `json:"available"` // units
	Reorder
}

// Reorder says when units of a product are reordered. Only operators are told.
type Reorder struct {
	ReorderPoint    int `json:"reorder_point"`
	ReorderQuantity int `json:"reorder_quantity"` // 0: it is never reordered
}

// Products reads all products, without Reorder. They are as of now, and not from the gateway's cache.
func (c *Client) Products(ctx context.Context) ([]Product, error) {
	return list[Product](ctx, c, "/api/products")
}

// Reorders reads when products are reordered, by SKU. The caller has to be an operator.
func (c *Client) Reorders(ctx context.Context) (map[string]Reorder, error) {
	stock, err := list[struct {
		SKU string `json:"sku"`
		Reorder
	}](ctx, c, "/api/stock")
	all := make(map[string]Reorder, len(stock))
	for _, s := range stock {
		all[s.SKU] = s.Reorder
	}
	return all, err
}

// list reads a list, page by page.
func list[T any](ctx context.Context, c *Client, path string) (all []T, err error) {
	for query := (url.Values{}); ; {
		var page struct {
			Items      []T    `json:"items"`
			NextCursor string `json:"next_cursor"`
		}
		if err := c.Call(ctx, http.MethodGet, path+"?"+query.Encode(), nil, &page, "Cache-Control", "no-cache"); err != nil {
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
		Name        string `json:"name"`
		Description string `json:"description"`
		Price       Money  `json:"price"`
		Reorder
	}{p.Name, p.Description, p.Price, p.Reorder}, nil)
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
