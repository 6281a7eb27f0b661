package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"example.com/orderflow/pkg/failpoint"
	"example.com/orderflow/pkg/fault"
	"example.com/orderflow/pkg/identity"
	"example.com/orderflow/pkg/messages"
	"example.com/orderflow/pkg/telemetry"
	"example.com/orderflow/pkg/unit"
	"example.com/orderflow/pkg/web"
)

const (
	linesMost    = 100
	quantityMost = 10_000
)

// placing is the body of POST /api/orders. It has no prices: orders uses its own. A field that is added must be omitted from
// JSON when it was not sent (omitzero), because fingerprint depends on it.
type placing struct {
	Lines []struct {
		SKU      string `json:"sku"`
		Quantity int    `json:"quantity"`
	} `json:"lines"`
	PaymentMethod   string           `json:"payment_method"`
	ShippingAddress messages.Address `json:"shipping_address"`
	AllowBackorder  bool             `json:"allow_backorder"`
}

var skuFormat = regexp.MustCompile(`^[A-Z0-9][A-Z0-9-]{0,63}$`)

// check validates all that can be validated without the catalogue, and normalises the texts.
func (p *placing) check() error {
	var fields fault.Fields
	fields.Check(len(p.Lines) > 0, "lines", "must not be empty")
	fields.Check(len(p.Lines) <= linesMost, "lines", "must be at most %d, are %d", linesMost, len(p.Lines))
	seen := map[string]bool{}
	for i, l := range p.Lines[:min(len(p.Lines), linesMost)] {
		fields.Check(skuFormat.MatchString(l.SKU), fmt.Sprintf("lines[%d].sku", i), "must be 1 to 64 capital letters, digits and hyphens, not a hyphen first")
		fields.Check(!seen[l.SKU], fmt.Sprintf("lines[%d].sku", i), "stands in another line too")
		fields.Check(l.Quantity >= 1 && l.Quantity <= quantityMost, fmt.Sprintf("lines[%d].quantity", i), "must be 1 to %d", quantityMost)
		seen[l.SKU] = true
	}
	p.PaymentMethod = web.Text(&fields, "payment_method", p.PaymentMethod, 1, 64)
	a := &p.ShippingAddress
	a.Name = web.Text(&fields, "shipping_address.name", a.Name, 1, 100)
	a.Street = web.Text(&fields, "shipping_address.street", a.Street, 1, 200)
	a.City = web.Text(&fields, "shipping_address.city", a.City, 1, 100)
	a.PostalCode = web.Text(&fields, "shipping_address.postal_code", a.PostalCode, 1, 20)
	fields.Check(messages.IsCountry(a.Country), "shipping_address.country", "must be the code of a country, two capital letters (ISO 3166-1)")
	return fields.Err()
}

// priced makes an order from the request, at the current prices.
func (p placing) priced(customer string, catalogue func(sku string) (product, bool)) (order, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return order{}, fmt.Errorf("order id: %w", err)
	}
	o := order{ID: id.String(), CustomerID: customer, PaymentMethod: p.PaymentMethod, ShippingAddress: p.ShippingAddress, AllowBackorder: p.AllowBackorder}
	var fields fault.Fields
	for i, l := range p.Lines {
		at := fmt.Sprintf("lines[%d].sku", i)
		known, ok := catalogue(l.SKU)
		if fields.Check(ok, at, "there is no such product"); !ok {
			continue
		}
		fields.Check(!known.Retired, at, "is not sold any more")
		if o.Total.Currency == "" {
			o.Total.Currency = known.Price.Currency
		}
		fields.Check(known.Price.Currency == o.Total.Currency, at, "is priced in %s, the lines before in %s", known.Price.Currency, o.Total.Currency)
		o.Lines = append(o.Lines, line{known.SKU, known.Name, l.Quantity, known.Price})
		o.Total.Amount += known.Price.Amount * int64(l.Quantity) // at most 100 lines of 10,000 units: no overflow for unit prices below 9 trillion
	}
	if len(fields) == 0 {
		fields.Check(o.Total.Amount > 0, "lines", "cost nothing")
	}
	return o, fields.Err()
}

// postOrder accepts an order. It answers 202, because the order is processed later by other services. It needs only our own
// database: one commit stores the order, its first command and the answer for its idempotency key.
func (s *shop) postOrder(c echo.Context) error {
	key, err := web.IdempotencyKey(c.Request())
	if err != nil {
		return err
	}
	if key == "" {
		return fault.New(fault.Malformed, "an Idempotency-Key header is needed, a new one for each order")
	}
	var p placing
	if err := web.JSON(c, &p); err != nil {
		return err
	}
	expected, err := expectedTotal(c.Request())
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	customer := identity.From(ctx).ID
	print, err := fingerprint(p)
	if err != nil {
		return err
	}
	var answer remembered
	err = s.office.Do(ctx, unit.Decision[*work]{
		Name: func(w *work) {
			w.keys.Name(keyOf(customer, key))
			for _, l := range p.Lines[:min(len(p.Lines), linesMost)] {
				if skuFormat.MatchString(l.SKU) {
					w.products.Name(l.SKU)
				}
			}
		},
		Make: func(w *work) (err error) {
			answer, err = w.place(ctx, remembered{CustomerID: customer, Key: key, Fingerprint: print}, p, expected)
			return err
		},
	})
	if err != nil {
		return err
	}
	failpoint.At("orders.placed")
	made := pathOf(answer.OrderID)
	c.Response().Header().Set("Location", made)
	if !bytes.Equal(answer.Fingerprint, print) {
		return fault.New(fault.Invalid, "this Idempotency-Key was used for another order").
			Named("key-reused").With("links", map[string]string{"order": made})
	}
	return c.JSONBlob(http.StatusAccepted, answer.Answer)
}

// place makes an order under an idempotency key. If the key has an answer already, it returns that answer before any
// validation: the products may be gone by now, and this release may not accept the order.
func (w *work) place(ctx context.Context, r remembered, p placing, expected *messages.Money) (remembered, error) {
	name := keyOf(r.CustomerID, r.Key)
	if before, ok := w.keys.Get(name); ok {
		return before, nil
	}
	if err := p.check(); err != nil {
		return r, err
	}
	if !w.stocked {
		return r, errNotStocked
	}
	o, err := p.priced(r.CustomerID, w.products.Get)
	if err != nil {
		return r, err
	}
	if err := o.costs(expected); err != nil {
		return r, err
	}
	o.TraceParent, _ = telemetry.Inject(ctx)
	out := o.place(w.now(), w.timeouts)
	r.OrderID = out.order.ID
	if r.Answer, err = json.Marshal(bodyOf(out.order)); err != nil {
		return r, fmt.Errorf("encode order: %w", err)
	}
	w.keys.Put(name, r)
	w.put(ctx, out)
	return r, nil
}

// fingerprint identifies a request, regardless of its white space. It is computed from what was sent, before normalisation, and
// from the same bytes in every release: a key that one release has stored is sent again to the next one, or to an older one
// after a rollback.
func fingerprint(p placing) ([]byte, error) {
	body, err := json.Marshal(p)
	if err != nil {
		return nil, fmt.Errorf("fingerprint: %w", err)
	}
	sum := sha256.Sum256(body)
	return sum[:], nil
}
