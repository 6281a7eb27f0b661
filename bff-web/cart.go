package main

import (
	"cmp"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"example.com/orderflow/pkg/fault"
	"example.com/orderflow/pkg/messages"
	"github.com/labstack/echo/v4"
)

const (
	cartMost     = 30 // products: their cookies have less than 10 kB, of the 32 kB that a header may have
	quantityMost = 99
)

var sku = regexp.MustCompile(`^[A-Z0-9][A-Z0-9-]{0,63}$`)

// cart is what a customer is about to order. Forms have it as "MUG-BLUE:2/PEN:1". It is not secret, and changing it by hand
// only changes what is ordered.
type cart []messages.Line

// parseCart reads a cart and leaves out what is invalid.
func parseCart(text string) (lines cart) {
	for part := range strings.SplitSeq(text, "/") {
		name, count, _ := strings.Cut(part, ":")
		n, err := strconv.Atoi(count)
		if err != nil || len(lines) == cartMost || !sku.MatchString(name) || n < 1 || n > quantityMost || lines.of(name) > 0 {
			continue
		}
		lines = append(lines, messages.Line{SKU: name, Quantity: n})
	}
	return lines
}

func (k cart) String() string {
	parts := make([]string, len(k))
	for i, l := range k {
		parts[i] = fmt.Sprintf("%s:%d", l.SKU, l.Quantity)
	}
	return strings.Join(parts, "/")
}

func (k cart) units() (n int) {
	for _, l := range k {
		n += l.Quantity
	}
	return n
}

func (k cart) skus() []string {
	skus := make([]string, len(k))
	for i, l := range k {
		skus[i] = l.SKU
	}
	return skus
}

func (k cart) of(name string) int {
	if i := slices.IndexFunc(k, func(l messages.Line) bool { return l.SKU == name }); i >= 0 {
		return k[i].Quantity
	}
	return 0
}

// with returns the cart with n units of a product. ok is false if the product does not fit in.
func (k cart) with(name string, n int) (changed cart, ok bool) {
	changed = slices.Clone(k)
	i := slices.IndexFunc(changed, func(l messages.Line) bool { return l.SKU == name })
	switch n = min(n, quantityMost); {
	case n < 1 && i >= 0:
		return slices.Delete(changed, i, i+1), true
	case n < 1:
		return changed, true
	case i >= 0:
		changed[i].Quantity = n
		return changed, true
	}
	return append(changed, messages.Line{SKU: name, Quantity: n}), len(k) < cartMost
}

// plus returns the cart with n more units of a product.
func (k cart) plus(name string, n int) (changed cart, ok bool) {
	return k.with(name, min(n, quantityMost)+k.of(name)) // limited first: the sum of a very large number could overflow
}

// postCart adds units to the cart, or sets the quantity of a product if the form has what=set. It then returns to the page that
// the form names, with the product's name from the form in its notice.
func (s *site) postCart(c echo.Context) error {
	name := c.FormValue("sku")
	n, err := strconv.Atoi(c.FormValue("quantity"))
	if err != nil || n < 0 || !sku.MatchString(name) {
		return fault.New(fault.Invalid, "the quantity must be a number from 0 to %d", quantityMost)
	}
	k, b := cartOf(c), basketOf(c)
	told := clip(cmp.Or(strings.TrimSpace(c.FormValue("name")), name))
	if c.FormValue("what") == "set" {
		changed, ok := k.with(name, n)
		if !ok {
			return seeOther(c, withNotice(c, "/cart", "full"))
		}
		b.set(name, changed.of(name))
		if n == 0 {
			return seeOther(c, withNotice(c, "/cart", "removed", told))
		}
		return seeOther(c, withNotice(c, "/cart", "changed", told)+"#"+name)
	}
	back := local(c.FormValue("back"))
	changed, ok := k.plus(name, n)
	more := changed.of(name) - k.of(name)
	switch {
	case !ok:
		return seeOther(c, withNotice(c, back, "full"))
	case more == 0:
		return seeOther(c, withNotice(c, back, "most", told))
	}
	b.add(name, more)
	return seeOther(c, withNotice(c, back, "added", told)+"#"+name)
}

// clip shortens the name of a product so that it fits into a cookie.
func clip(name string) string {
	const most = 120
	if letters := []rune(name); len(letters) > most {
		return string(letters[:most-1]) + "…"
	}
	return name
}

// offer is a cart with the catalogue's data about its products.
type offer struct {
	Lines  []offered
	Totals []messages.Money // one for each currency, since an order has only one currency
	Blind  bool             // the catalogue does not answer, and not all names and prices are known from before
}

type offered struct {
	messages.Line
	Product product
	Gone    bool // it is no longer sold
	Short   bool // fewer units are available
	Sum     messages.Money
}

// Never reports whether waiting is in vain, because the product is not reordered.
func (o offered) Never() bool { return o.Short && !o.Product.Coming() }

// Text returns the cart as the form sends it back.
func (o offer) Text() string {
	var k cart
	for _, l := range o.Lines {
		k = append(k, l.Line)
	}
	return k.String()
}

// in returns the part of the cart with prices in a currency.
func (o offer) in(currency string) offer {
	other := func(m messages.Money) bool { return m.Currency != currency }
	o.Lines = slices.DeleteFunc(o.Lines, func(l offered) bool { return other(l.Sum) })
	o.Totals = slices.DeleteFunc(o.Totals, other)
	return o
}

// Gone reports whether a product in the cart is no longer sold: such an order is refused.
func (o offer) Gone() bool {
	return slices.ContainsFunc(o.Lines, func(l offered) bool { return l.Gone })
}

// price returns the total price if the catalogue knows it; otherwise its currency is empty.
func (o offer) price() (total messages.Money) {
	if len(o.Totals) == 1 && !o.Gone() {
		return o.Totals[0]
	}
	return total
}

func (o *offer) add(sum messages.Money) {
	for i := range o.Totals {
		if o.Totals[i].Currency == sum.Currency {
			o.Totals[i].Amount += sum.Amount
			return
		}
	}
	o.Totals = append(o.Totals, sum)
}

// offer adds names, pictures and prices to a cart. Without inventory it is still a cart. The price is only shown: orders
// decides at which price it accepts the order.
func (s *site) offer(c echo.Context, k cart) offer {
	var o offer
	all, err := s.productsOf(c, k.skus())
	o.Blind = err != nil || all.Old && len(all.Items) < len(k)
	known := all.bySKU()
	for _, l := range k {
		p, ok := known[l.SKU]
		line := offered{Line: l, Product: p, Gone: p.Retired || !ok && !o.Blind, Short: ok && p.Available < l.Quantity}
		switch {
		case !ok:
			line.Product.Name = l.SKU
		case !p.Retired:
			line.Sum = p.Price
			line.Sum.Amount *= int64(l.Quantity)
			o.add(line.Sum)
		}
		o.Lines = append(o.Lines, line)
	}
	if o.Blind { // the sum of a part is not the total
		o.Totals = nil
	}
	return o
}

func (s *site) getCart(c echo.Context) error {
	return s.pages.render(c, http.StatusOK, "cart.html", s.offer(c, cartOf(c)))
}
