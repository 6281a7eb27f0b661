package shop

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"example.com/orderflow/bff-web/internal/cart"
	"example.com/orderflow/bff-web/internal/site"
	"example.com/orderflow/pkg/fault"
	"example.com/orderflow/pkg/messages"
	"github.com/labstack/echo/v4"
)

// postCart adds units to the cart, or sets the quantity of a product if the form has what=set. It then returns to the page that
// the form names, with the product's name from the form in its notice.
func (s *Pages) postCart(c echo.Context) error {
	name := c.FormValue("sku")
	n, err := strconv.Atoi(c.FormValue("quantity"))
	if err != nil || n < 0 || !cart.SKU.MatchString(name) {
		return fault.New(fault.Invalid, "the quantity must be a number from 0 to %d", cart.QuantityMost)
	}
	k, b := cart.Of(c), cart.BasketOf(c)
	told := site.Clip(cmp.Or(strings.TrimSpace(c.FormValue("name")), name))
	if c.FormValue("what") == "set" {
		changed, ok := k.With(name, n)
		if !ok {
			return site.SeeOther(c, site.WithNotice(c, "/cart", "full"))
		}
		b.Set(name, changed.Of(name))
		if n == 0 {
			return site.SeeOther(c, site.WithNotice(c, "/cart", "removed", told))
		}
		return site.SeeOther(c, site.WithNotice(c, "/cart", "changed", told)+"#"+name)
	}
	back := site.Local(c.FormValue("back"))
	changed, ok := k.Plus(name, n)
	more := changed.Of(name) - k.Of(name)
	switch {
	case !ok:
		return site.SeeOther(c, site.WithNotice(c, back, "full"))
	case more == 0:
		return site.SeeOther(c, site.WithNotice(c, back, "most", told))
	}
	b.Add(name, more)
	return site.SeeOther(c, site.WithNotice(c, back, "added", told)+"#"+name)
}

// offer is a cart with the catalogue's data about its products.
type offer struct {
	Lines  []offered
	Totals []messages.Money // one for each currency, since an order has only one currency
	Blind  bool             // the catalogue does not answer, and not all names and prices are known from before
}

type offered struct {
	messages.Line
	Product Product
	Gone    bool // it is no longer sold
	Short   bool // fewer units are available
	Sum     messages.Money
}

// Never reports whether waiting is in vain, because the product is not reordered.
func (o offered) Never() bool { return o.Short && !o.Product.Coming() }

// Text returns the cart as the form sends it back.
func (o offer) Text() string {
	var k cart.Cart
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
func (s *Pages) offer(c echo.Context, k cart.Cart) offer {
	var o offer
	all, err := s.ProductsOf(c, k.SKUs())
	o.Blind = err != nil || all.Old && len(all.Items) < len(k)
	known := all.BySKU()
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

func (s *Pages) getCart(c echo.Context) error {
	return s.pages.Render(c, http.StatusOK, "cart.html", s.offer(c, cart.Of(c)))
}
