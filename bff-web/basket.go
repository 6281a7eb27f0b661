package main

import (
	"crypto/rand"
	"slices"
	"strconv"
	"strings"
	"time"

	"example.com/orderflow/pkg/messages"
	"github.com/labstack/echo/v4"
)

const (
	cartCookie = "orderflow_cart"
	cartKept   = 30 * 24 * time.Hour
	spread     = 60 // cookies of a cart, besides the first one of each product: browsers keep some 150 for a site
)

// addition is units of a product that were added to the cart at one time. Each addition has its own cookie, such as
// "orderflow_cart.MUG-BLUE.k3f9xa=2". With one cookie for the whole cart, two tabs that add at the same time would each write a
// cart without the addition of the other.
type addition struct {
	cookie string
	messages.Line
}

// additions returns the additions in the cart, in the browser's order: the oldest first.
func additions(c echo.Context) (all []addition) {
	const prefix = cartCookie + "."
	for name, value := range cookiesOf(c, prefix) {
		product, _, marked := strings.Cut(name, ".")
		n, err := strconv.Atoi(value)
		if marked && err == nil && sku.MatchString(product) && n > 0 && n <= quantityMost {
			all = append(all, addition{prefix + name, messages.Line{SKU: product, Quantity: n}})
		}
	}
	for _, l := range parseCart(cookieOf(c, cartCookie)) { // written by a release with one cookie for the whole cart
		name := prefix + l.SKU + ".old"
		if !slices.ContainsFunc(all, func(a addition) bool { return a.cookie == name }) {
			all = append(all, addition{name, l})
		}
	}
	return all
}

func cartOf(c echo.Context) (k cart) {
	for _, a := range additions(c) {
		if more, ok := k.plus(a.SKU, a.Quantity); ok {
			k = more
		}
	}
	return k
}

// basket changes the cart of a request. It changes only cookies that the request has sent, so that changes of another tab are
// kept.
type basket struct {
	c   echo.Context
	all []addition
}

func basketOf(c echo.Context) basket {
	b := basket{c, additions(c)}
	if cookieOf(c, cartCookie) != "" {
		setCookie(c, cartCookie, "", time.Time{})
		for _, a := range b.all {
			if strings.HasSuffix(a.cookie, ".old") {
				b.write(a.cookie, a.Quantity)
			}
		}
	}
	return b
}

func (b basket) write(cookie string, n int) {
	if n == 0 {
		setCookie(b.c, cookie, "", time.Time{})
		return
	}
	setCookie(b.c, cookie, strconv.Itoa(n), time.Now().Add(cartKept))
}

func (b basket) of(product string) (own []addition) {
	for _, a := range b.all {
		if a.SKU == product {
			own = append(own, a)
		}
	}
	return own
}

func freshCookie(product string) string {
	return cartCookie + "." + product + "." + strings.ToLower(rand.Text()[:6])
}

// add puts n more units of a product into the cart, with a new cookie unless the cart has very many additions.
func (b basket) add(product string, n int) {
	if own := b.of(product); len(own) > 0 && len(b.all) >= spread {
		last := own[len(own)-1]
		b.write(last.cookie, min(last.Quantity+n, quantityMost))
		return
	}
	b.write(freshCookie(product), n)
}

// set sets the quantity of a product.
func (b basket) set(product string, n int) {
	own := b.of(product)
	for i, a := range own {
		if i > 0 || n == 0 {
			b.write(a.cookie, 0)
		}
	}
	switch {
	case n > 0 && len(own) > 0:
		b.write(own[0].cookie, n)
	case n > 0:
		b.write(freshCookie(product), n)
	}
}

// takeOut removes what was ordered, and nothing else.
func (b basket) takeOut(ordered cart) {
	k := cartOf(b.c)
	for _, l := range ordered {
		if n := k.of(l.SKU); n > 0 {
			b.set(l.SKU, max(0, n-l.Quantity))
		}
	}
}

// empty removes everything.
func (b basket) empty() {
	for _, a := range b.all {
		b.write(a.cookie, 0)
	}
}
