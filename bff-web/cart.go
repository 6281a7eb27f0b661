package main

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"example.com/orderflow/pkg/fault"
	"example.com/orderflow/pkg/messages"
	"github.com/labstack/echo/v4"
)

const (
	cartCookie   = "orderflow_cart"
	cartKept     = 30 * 24 * time.Hour
	cartMost     = 30 // products: the cookie stays below 2.5 kB
	quantityMost = 99
)

var sku = regexp.MustCompile(`^[A-Z0-9][A-Z0-9-]{0,63}$`)

// cart is what somebody is about to order. It lives in a cookie as "MUG-BLUE:2/PEN:1": there is nothing secret in it, and
// whoever changes it by hand only changes what he orders.
type cart []messages.Line

// parseCart reads a cart and leaves out whatever is not right.
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

// with is the cart with n units of a product; ok is false when the product does not fit in.
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

// plus is the cart with n more units of a product.
func (k cart) plus(name string, n int) (changed cart, ok bool) {
	return k.with(name, min(n, quantityMost)+k.of(name)) // the sum of what somebody types in could be negative
}

func cartOf(c echo.Context) cart { return parseCart(cookieOf(c, cartCookie)) }

// postCart adds to the cart, or with what=set says how much of a product is to be in it.
func (s *site) postCart(c echo.Context) error {
	name := c.FormValue("sku")
	n, err := strconv.Atoi(c.FormValue("quantity"))
	if err != nil || n < 0 || !sku.MatchString(name) {
		return fault.New(fault.Invalid, "the quantity must be a number from 0 to %d", quantityMost)
	}
	k, back := cartOf(c), "/cart"
	change := k.with
	if c.FormValue("what") != "set" {
		change, back = k.plus, withNotice(c, "/", "added")
	}
	k, ok := change(name, n)
	if !ok {
		return seeOther(c, withNotice(c, "/", "full"))
	}
	setCookie(c, cartCookie, k.String(), time.Now().Add(cartKept))
	return seeOther(c, back)
}

// offer is a cart with what the catalogue says about it.
type offer struct {
	Lines []offered
	Total messages.Money
	Text  string // of the cart, as the form sends it back
	Blind bool   // the catalogue cannot be asked: there are no names and prices
}

type offered struct {
	messages.Line
	Product product
	Gone    bool // it is sold no longer
	Short   bool // there are fewer than that
	Sum     messages.Money
}

// offer composes a cart with names, pictures and prices. Without inventory it is still a cart: the price is the one at
// which orders accepts the order, here it is only shown.
func (s *site) offer(c echo.Context, k cart) offer {
	o := offer{Text: k.String()}
	all, err := s.productsOf(c, k.skus())
	o.Blind = err != nil
	known := all.bySKU()
	for _, l := range k {
		p, ok := known[l.SKU]
		line := offered{Line: l, Product: p, Gone: !ok && !o.Blind, Short: ok && p.Available < l.Quantity}
		if line.Sum = p.Price; ok {
			line.Sum.Amount *= int64(l.Quantity)
			o.Total = messages.Money{Amount: o.Total.Amount + line.Sum.Amount, Currency: p.Price.Currency}
		} else {
			line.Product.Name = l.SKU
		}
		o.Lines = append(o.Lines, line)
	}
	return o
}

func (s *site) getCart(c echo.Context) error {
	return s.pages.render(c, http.StatusOK, "cart.html", s.offer(c, cartOf(c)))
}
