package apptest

import (
	"net/url"
	"regexp"
)

// What the form of the checkout sends back.
var (
	KeyOf   = regexp.MustCompile(`name="key" value="([^"]*)"`)
	TotalOf = regexp.MustCompile(`name="total" value="([^"]*)"`)
)

// Found returns what an expression finds on a page; empty: nothing.
func Found(in *regexp.Regexp, page string) string {
	if m := in.FindStringSubmatch(page); m != nil {
		return m[1]
	}
	return ""
}

// Filled returns the form of a page as its customer has filled it in. fields are pairs of name and value.
func Filled(page, cart string, fields ...string) url.Values {
	form := url.Values{
		"key": {Found(KeyOf, page)}, "total": {Found(TotalOf, page)}, "cart": {cart}, "payment_method": {"tok_visa"},
		"name": {"Al"}, "street": {"Elm"}, "city": {"C"}, "postal_code": {"1"}, "country": {"DE"},
	}
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	return form
}

// Checkout fills a cart and opens the checkout.
func (b *Browser) Checkout(product string) string {
	b.Helper()
	b.Posts("/cart", "/#"+product, "sku", product, "quantity", "1")
	return b.Loads(200, "/checkout", "Place the order", `name="cart" value="`+product+`:1"`)
}
