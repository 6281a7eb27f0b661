package cart

import (
	"crypto/rand"
	"slices"
	"strconv"
	"strings"
	"time"

	"example.com/orderflow/bff-web/internal/visitor"
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
	for name, value := range visitor.Cookies(c, prefix) {
		product, _, marked := strings.Cut(name, ".")
		n, err := strconv.Atoi(value)
		if marked && err == nil && SKU.MatchString(product) && n > 0 && n <= QuantityMost {
			all = append(all, addition{prefix + name, messages.Line{SKU: product, Quantity: n}})
		}
	}
	for _, l := range Parse(visitor.Cookie(c, cartCookie)) { // written by a release with one cookie for the whole cart
		name := prefix + l.SKU + ".old"
		if !slices.ContainsFunc(all, func(a addition) bool { return a.cookie == name }) {
			all = append(all, addition{name, l})
		}
	}
	return all
}

// Of returns the cart in the cookies of a request.
func Of(c echo.Context) (k Cart) {
	for _, a := range additions(c) {
		if more, ok := k.Plus(a.SKU, a.Quantity); ok {
			k = more
		}
	}
	return k
}

// Basket changes the cart of a request. It changes only cookies that the request has sent, so that changes of another tab are
// kept.
type Basket struct {
	c   echo.Context
	all []addition
}

// BasketOf returns the cart of a request, to be changed.
func BasketOf(c echo.Context) Basket {
	b := Basket{c, additions(c)}
	if visitor.Cookie(c, cartCookie) != "" {
		visitor.SetCookie(c, cartCookie, "", time.Time{})
		for _, a := range b.all {
			if strings.HasSuffix(a.cookie, ".old") {
				b.write(a.cookie, a.Quantity)
			}
		}
	}
	return b
}

func (b Basket) write(cookie string, n int) {
	if n == 0 {
		visitor.SetCookie(b.c, cookie, "", time.Time{})
		return
	}
	visitor.SetCookie(b.c, cookie, strconv.Itoa(n), time.Now().Add(cartKept))
}

func (b Basket) of(product string) (own []addition) {
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

// Add puts n more units of a product into the cart, with a new cookie unless the cart has very many additions.
func (b Basket) Add(product string, n int) {
	if own := b.of(product); len(own) > 0 && len(b.all) >= spread {
		last := own[len(own)-1]
		b.write(last.cookie, min(last.Quantity+n, QuantityMost))
		return
	}
	b.write(freshCookie(product), n)
}

// Set sets the quantity of a product.
func (b Basket) Set(product string, n int) {
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

// TakeOut removes what was ordered, and nothing else.
func (b Basket) TakeOut(ordered Cart) {
	k := Of(b.c)
	for _, l := range ordered {
		if n := k.Of(l.SKU); n > 0 {
			b.Set(l.SKU, max(0, n-l.Quantity))
		}
	}
}

// empty removes everything.
func (b Basket) empty() {
	for _, a := range b.all {
		b.write(a.cookie, 0)
	}
}
