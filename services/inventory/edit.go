package main

import (
	"context"
	"net/http"

	"example.com/orderflow/pkg/fault"
	"example.com/orderflow/pkg/identity"
	"example.com/orderflow/pkg/messages"
	"example.com/orderflow/pkg/web"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/labstack/echo/v4"
)

const (
	nameMost        = 120
	descriptionMost = 2000
	priceMost       = 100_000_000 // a million in most currencies
	unitsMost       = 1_000_000
)

// editing is the body of PUT /api/products/{sku}: the whole of what an operator decides about a product. The reorder
// fields are pointers because leaving one out must not switch reordering off.
type editing struct {
	Name            string         `json:"name"`
	Description     string         `json:"description"`
	Price           messages.Money `json:"price"`
	ReorderPoint    *int           `json:"reorder_point"`
	ReorderQuantity *int           `json:"reorder_quantity"`
}

// product checks an edit and makes the product that it describes.
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

// putProduct adds a product, with nothing in stock, or changes one, on the conditions of If-Match and If-None-Match. Either
// way everybody is told how it looks now: a copy that was lost is whole again after it.
func (w *warehouse) putProduct(c echo.Context) error {
	var e editing
	if err := web.JSON(c, &e); err != nil {
		return err
	}
	p, err := e.product(c.Param("sku"))
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	status := http.StatusOK
	err = w.db.Tx(ctx, func(tx pgx.Tx) error {
		if err := lockWaiting(ctx, tx, p.SKU); err != nil {
			return err
		}
		added, err := insertProduct(ctx, tx, p, w.now())
		if err != nil {
			return err
		}
		if status = http.StatusCreated; !added {
			status = http.StatusOK
		}
		if err := unchanged(ctx, tx, c.Request(), p.SKU, !added); err != nil {
			return err
		}
		if !added {
			if err := updateProduct(ctx, tx, p, w.now()); err != nil {
				return err
			}
		}
		s, err := lockStock(ctx, tx, []string{p.SKU})
		if err != nil {
			return err
		}
		var b pgx.Batch
		answers, err := w.turnAway(ctx, tx, &b, s, p.SKU)
		if err != nil {
			return err
		}
		if p, err = readProduct(ctx, tx, p.SKU); err != nil {
			return err
		}
		p.Stock = *s[p.SKU]
		return w.keep(ctx, tx, &b, s, append(answers, p.changed())...)
	})
	if err != nil {
		return err
	}
	if status == http.StatusCreated {
		c.Response().Header().Set("Location", "/api/products/"+p.SKU)
	}
	return c.JSON(status, bodyOf(p))
}

// unchanged judges the conditions of a request that changes a product, or adds it.
func unchanged(ctx context.Context, tx pgx.Tx, r *http.Request, sku string, exists bool) error {
	if !exists {
		return web.Condition(r, false, nil)
	}
	if _, err := lockStock(ctx, tx, []string{sku}); err != nil {
		return err
	}
	now, err := readProduct(ctx, tx, sku)
	if err != nil {
		return err
	}
	return web.Condition(r, true, now.matches)
}

// postStock adds units by hand. A request with an Idempotency-Key adds them once, however often it is sent.
func (w *warehouse) postStock(c echo.Context) error {
	ctx := c.Request().Context()
	m := movement{What: "replenished", Operator: identity.From(ctx).ID}
	var err error
	if m.Reference, err = web.IdempotencyKey(c.Request()); err != nil {
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
	p, err := w.productOf(c)
	if err != nil {
		return err
	}
	err = w.db.Tx(ctx, func(tx pgx.Tx) error {
		if err := w.add(ctx, tx, m, messages.Line{SKU: p.SKU, Quantity: adding.Add}); err != nil {
			return err
		}
		if p, err = readProduct(ctx, tx, p.SKU); err != nil {
			return err
		}
		return web.Condition(c.Request(), true, p.matches) // more units leave the edition as it is
	})
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, stockOf(p))
}

// add shelves units unless that has been done under the same reference.
func (w *warehouse) add(ctx context.Context, tx pgx.Tx, m movement, units messages.Line) error {
	if err := lockQueues(ctx, tx, []string{units.SKU}); err != nil {
		return err
	}
	before, err := addedBy(ctx, tx, m.Operator, m.Reference, units.SKU)
	switch {
	case err != nil:
		return err
	case before == units.Quantity:
		return nil
	case before != 0:
		return fault.New(fault.Invalid, "this Idempotency-Key was used to add %d units", before)
	}
	s, err := lockStock(ctx, tx, []string{units.SKU})
	if err != nil {
		return err
	}
	return w.shelve(ctx, tx, s, m, units)
}
