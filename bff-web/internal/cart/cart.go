// Package cart is the cart of a visitor, in the cookies of the browser, until it has become an order.
package cart

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"example.com/orderflow/pkg/messages"
)

// What fits into a cart.
const (
	cartMost     = 30 // products: their cookies have less than 10 kB, of the 32 kB that a header may have
	QuantityMost = 99 // of a product
)

// SKU is the form of a product number.
var SKU = regexp.MustCompile(`^[A-Z0-9][A-Z0-9-]{0,63}$`)

// Cart is what a customer is about to order. Forms have it as "MUG-BLUE:2/PEN:1". It is not secret, and changing it by hand
// only changes what is ordered.
type Cart []messages.Line

// Parse reads a cart and leaves out what is invalid.
func Parse(text string) (lines Cart) {
	for part := range strings.SplitSeq(text, "/") {
		name, count, _ := strings.Cut(part, ":")
		n, err := strconv.Atoi(count)
		if err != nil || len(lines) == cartMost || !SKU.MatchString(name) || n < 1 || n > QuantityMost || lines.Of(name) > 0 {
			continue
		}
		lines = append(lines, messages.Line{SKU: name, Quantity: n})
	}
	return lines
}

// String returns the cart as forms have it.
func (k Cart) String() string {
	parts := make([]string, len(k))
	for i, l := range k {
		parts[i] = fmt.Sprintf("%s:%d", l.SKU, l.Quantity)
	}
	return strings.Join(parts, "/")
}

// Units returns how many units are in it.
func (k Cart) Units() (n int) {
	for _, l := range k {
		n += l.Quantity
	}
	return n
}

// SKUs returns its products.
func (k Cart) SKUs() []string {
	skus := make([]string, len(k))
	for i, l := range k {
		skus[i] = l.SKU
	}
	return skus
}

// Of returns how many units of a product are in it.
func (k Cart) Of(name string) int {
	if i := slices.IndexFunc(k, func(l messages.Line) bool { return l.SKU == name }); i >= 0 {
		return k[i].Quantity
	}
	return 0
}

// With returns the cart with n units of a product. ok is false if the product does not fit in.
func (k Cart) With(name string, n int) (changed Cart, ok bool) {
	changed = slices.Clone(k)
	i := slices.IndexFunc(changed, func(l messages.Line) bool { return l.SKU == name })
	switch n = min(n, QuantityMost); {
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

// Plus returns the cart with n more units of a product.
func (k Cart) Plus(name string, n int) (changed Cart, ok bool) {
	return k.With(name, min(n, QuantityMost)+k.Of(name)) // limited first: the sum of a very large number could overflow
}
