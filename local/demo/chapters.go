package demo

import (
	"cmp"
	"errors"
	"slices"

	"example.com/orderflow/local/shop"
)

// chapter is an order and its expected end.
type chapter struct {
	title      string
	explain    string
	quantity   int
	beyond     bool // quantity is added to the available stock
	backorder  bool
	payment    string
	postalCode string
	cancelAt   string // the status in which the customer tries to cancel; empty: never
	want       outcome

	sku    string // chosen from the catalogue
	before int    // the stock that was available before
}

// outcome is how an order ended.
type outcome struct {
	status, reason, payment string
	cancellation            string // the answer to the customer's request to cancel
}

// chapters is the story: one order for each way in which an order can end.
func chapters() []chapter {
	const berlin, nowhere = "10115", "00000"
	return []chapter{
		{
			title: "delivered", explain: "all goes well",
			quantity: 2, payment: "tok_visa", postalCode: berlin,
			want: outcome{status: "delivered", payment: "taken"},
		},
		{
			title: "declined", explain: "the card is declined, and the stock goes back",
			quantity: 2, payment: "tok_declined", postalCode: berlin,
			want: outcome{status: "cancelled", reason: "payment_declined", payment: "declined"},
		},
		{
			title: "out of stock", explain: "more than there is, without leave to wait",
			quantity: 1, beyond: true, payment: "tok_visa", postalCode: berlin,
			want: outcome{status: "cancelled", reason: "out_of_stock"},
		},
		{
			title: "backordered", explain: "more than there is, and the supplier brings the rest",
			quantity: 1, beyond: true, backorder: true, payment: "tok_visa", postalCode: berlin,
			want: outcome{status: "delivered", payment: "taken"},
		},
		{
			title: "undeliverable", explain: "the parcel comes back: money and stock do, too",
			quantity: 1, payment: "tok_visa", postalCode: nowhere,
			want: outcome{status: "cancelled", reason: "undeliverable", payment: "refunded"},
		},
		{
			title: "cancelled", explain: "the customer cancels before it is dispatched",
			quantity: 3, payment: "tok_visa", postalCode: berlin, cancelAt: "paid",
			want: outcome{status: "cancelled", reason: "customer_request", payment: "refunded", cancellation: "accepted"},
		},
		{
			title: "too late", explain: "the customer wants to cancel what is on its way already",
			quantity: 1, payment: "tok_visa", postalCode: berlin, cancelAt: "shipped",
			want: outcome{status: "delivered", payment: "taken", cancellation: "refused (409)"},
		},
	}
}

// roomToMove is how far a product's stock has to be above its reorder point, so that no order of the story causes a reorder:
// the story compares stock before and after.
const roomToMove = 10

var errCatalogue = errors.New("the story needs a product that is reordered, another one to run out of, and at least one " +
	"with plenty of stock; add stock as olga (POST /api/products/{sku}/stock)")

// cast gives each chapter a product: the two orders that exceed the stock get a product each, the others share products with
// enough stock.
func cast(story []chapter, catalogue []shop.Product) error {
	rest := slices.SortedFunc(slices.Values(catalogue), func(a, b shop.Product) int { return cmp.Compare(a.Available, b.Available) })
	take := func(fits func(shop.Product) bool) (shop.Product, bool) {
		i := slices.IndexFunc(rest, fits)
		if i < 0 {
			return shop.Product{}, false
		}
		p := rest[i]
		rest = slices.Delete(rest, i, i+1)
		return p, true
	}
	reordered := func(p shop.Product) bool { return p.ReorderQuantity > 0 }

	for i := range story {
		c := &story[i]
		if !c.beyond {
			continue
		}
		fits := reordered
		if !c.backorder {
			fits = func(p shop.Product) bool { return !reordered(p) }
		}
		p, ok := take(fits)
		if !ok && !c.backorder { // without other orders, a product that is reordered runs out as well
			p, ok = take(func(shop.Product) bool { return true })
		}
		if !ok {
			return errCatalogue
		}
		c.sku, c.before = p.SKU, p.Available
		c.quantity += p.Available
	}
	plenty := slices.DeleteFunc(rest, func(p shop.Product) bool { return p.Available-p.ReorderPoint < roomToMove })
	if len(plenty) == 0 {
		return errCatalogue
	}
	next := len(plenty) // beginning with the largest stock
	for i := range story {
		if c := &story[i]; !c.beyond {
			next = cmp.Or(next, len(plenty)) - 1
			c.sku, c.before = plenty[next].SKU, plenty[next].Available
		}
	}
	return nil
}
