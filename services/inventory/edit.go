package main

import (
	"context"
	"net/http"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"example.com/orderflow/pkg/fault"
	"example.com/orderflow/pkg/identity"
	"example.com/orderflow/pkg/messages"
	"example.com/orderflow/pkg/outbox"
	"example.com/orderflow/pkg/unit"
	"example.com/orderflow/pkg/web"
)

const (
	nameMost        = 120
	descriptionMost = 2000
	priceMost       = 100_000_000 // a million in most currencies
	unitsMost       = 1_000_000
)

// editing is the body of PUT /api/products/{sku}: all that an operator decides about a product. The reorder fields are
// pointers, because leaving one out must not switch reordering off. Leaving out Retired leaves it as it is.
type editing struct {
	Name            string         `json:"name"`
	Description     string         `json:"description"`
	Price           messages.Money `json:"price"`
	ReorderPoint    *int           `json:"reorder_point"`
	ReorderQuantity *int           `json:"reorder_quantity"`
	Retired         *bool          `json:"retired"`
}

// product validates an edit and returns the product that it describes, without Retired.
func (e editing) product(sku string) (product, error) {
	var fields fault.Fields
	fields.Check(skuFormat.MatchString(sku), "sku", "must be 1 to 64 capital letters, digits and hyphens, not a hyphen first")
	e.Name = web.Text(&fields, "name", e.Name, 1, nameMost)
	e.Description = web.Text(&fields, "description", e.Description, 1, descriptionMost)
	fields.Check(e.Price.Amount >= 1 && e.Price.Amount <= priceMost, "price.amount", "must be 1 to %d, in the minor unit of the currency", priceMost)
	fields.Check(messages.IsCurrency(e.Price.Currency), "price.currency", "must be the code of a currency, three capital letters (ISO 4217)")
	units := func(field string, n *int) int {
		fields.Check(n != nil && *n >= 0 && *n <= unitsMost, field, "must be 0 to %d", unitsMost)
		if n == nil {
			return 0
		}
		return *n
	}
	point, quantity := units("reorder_point", e.ReorderPoint), units("reorder_quantity", e.ReorderQuantity)
	return product{
		SKU: sku, Name: e.Name, Description: e.Description, Image: imagePath(sku), Price: e.Price,
		Stock: stock{SKU: sku, ReorderPoint: point, ReorderQuantity: quantity},
	}, fields.Err()
}

// putProduct adds a product without stock, or changes one, subject to If-Match and If-None-Match. In both cases the product is
// announced: this also repairs copies elsewhere that have missed an event.
func (w *warehouse) putProduct(c echo.Context) error {
	var e editing
	if err := web.JSON(c, &e); err != nil {
		return err
	}
	p, err := e.product(c.Param("sku"))
	if err != nil {
		return err
	}
	r := c.Request()
	ctx := r.Context()
	var added bool
	var now *stock
	err = w.office.Do(ctx, unit.Decision[*work]{
		Name: func(w *work) {
			w.products.Name(p.SKU)
			if p.Stock.ReorderQuantity == 0 {
				w.locks.dropping = append(w.locks.dropping, p.SKU)
			}
		},
		Make: func(w *work) (err error) {
			p, added, err = w.edit(ctx, r, p, e.Retired)
			now = w.shelf[p.SKU]
			return err
		},
	})
	if err != nil {
		return err
	}
	p.Stock = *now // as it is after waiting orders were served
	if !added {
		return c.JSON(http.StatusOK, editableOf(p))
	}
	c.Response().Header().Set("Location", "/api/products/"+p.SKU)
	return c.JSON(http.StatusCreated, editableOf(p))
}

// edit adds or changes a product, subject to the request's conditions, and returns the result. The version rises if the
// announced fields change.
func (w *work) edit(ctx context.Context, r *http.Request, p product, retired *bool) (after product, added bool, err error) {
	before, exists := w.product(p.SKU)
	if err := web.Condition(r, exists, before.matches); err != nil {
		return p, false, err
	}
	p.Version, p.CreatedAt, p.Retired = before.Version, before.CreatedAt, before.Retired
	if retired != nil {
		p.Retired = *retired
	}
	if before.changed() != p.changed() {
		p.Version++
	}
	w.put(p)
	if p.Stock.ReorderQuantity == 0 {
		w.dropped[p.SKU] = outbox.OriginOf(ctx)
	}
	w.send(ctx, p.changed())
	return p, !exists, nil
}

// product returns the current state of a product. exists is false if there is none.
func (w *work) product(sku string) (p product, exists bool) {
	p, exists = w.products.Get(sku)
	if exists {
		p.Stock = *w.shelf[sku]
	}
	return p, exists
}

// put adds a product with its units, or replaces the fields that operators decide.
func (w *work) put(p product) {
	p.UpdatedAt = w.at
	if s := w.shelf[p.SKU]; s != nil {
		s.ReorderPoint, s.ReorderQuantity = p.Stock.ReorderPoint, p.Stock.ReorderQuantity
	} else {
		p.CreatedAt = w.at
		w.shelf[p.SKU] = &p.Stock
	}
	w.products.Put(p.SKU, p)
	w.restock(shelf{p.SKU: w.shelf[p.SKU]})
}

// postStock adds units by hand. With an Idempotency-Key, repeated requests add them only once.
func (w *warehouse) postStock(c echo.Context) error {
	r := c.Request()
	ctx := r.Context()
	m := movement{What: "replenished", Operator: identity.From(ctx).ID, SKU: c.Param("sku")}
	var err error
	if m.Reference, err = web.IdempotencyKey(r); err != nil {
		return err
	}
	if m.Reference == "" {
		m.Reference = uuid.NewString()
	}
	var adding struct {
		Add int `json:"add"`
	}
	if err := web.JSON(c, &adding); err != nil {
		return err
	}
	var fields fault.Fields
	fields.Check(adding.Add >= 1 && adding.Add <= unitsMost, "add", "must be 1 to %d", unitsMost)
	if err := fields.Err(); err != nil {
		return err
	}
	if !skuFormat.MatchString(m.SKU) {
		return errNoProduct
	}
	m.Quantity = adding.Add
	var p product
	var now *stock
	var replayed bool
	err = w.office.Do(ctx, unit.Decision[*work]{
		Name: func(w *work) {
			w.products.Name(m.SKU)
			w.movements.Name(m.key())
			w.locks.freeing = append(w.locks.freeing, m.SKU)
		},
		Make: func(w *work) (err error) {
			p, replayed, err = w.add(ctx, r, m)
			now = w.shelf[m.SKU]
			return err
		},
	})
	if err != nil {
		return err
	}
	if replayed {
		web.Replayed(c)
	}
	p.Stock = *now
	return c.JSON(http.StatusOK, stockOf(p))
}

// add adds units to the shelf, subject to the request's conditions, unless this was done under the same reference.
func (w *work) add(ctx context.Context, r *http.Request, m movement) (p product, done bool, err error) {
	p, exists := w.product(m.SKU)
	if !exists {
		return p, false, errNoProduct
	}
	before, done := w.movements.Get(m.key())
	if done && before.Quantity != m.Quantity {
		return p, false, fault.New(fault.Invalid, "this Idempotency-Key was used to add %d units", before.Quantity)
	}
	if err := web.Condition(r, true, p.matches); err != nil { // still valid after earlier additions: units are not part of the edition
		return p, false, err
	}
	if !done {
		w.shelve(ctx, m)
	}
	return p, done, nil
}
