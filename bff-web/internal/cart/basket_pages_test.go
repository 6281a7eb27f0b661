package cart_test

import (
	"testing"

	"example.com/orderflow/bff-web/app/apptest"
	"example.com/orderflow/bff-web/internal/cart"
)

func TestTwoAdditionsAtOnceAreTwo(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	for _, second := range []string{"PEN", "MUG-BLUE"} {
		b := f.As("alice")
		for range 5 {
			b.Posts("/cart", "/#PEN", "sku", "PEN", "quantity", "1")
		}
		before := b.Copied()
		one, other := b.Copied(), b.Copied() // each is answered before it sees the cookies of the other
		one.Posts("/cart", "/#PEN", "sku", "PEN", "quantity", "2")
		other.Posts("/cart", "/#"+second, "sku", second, "quantity", "4")
		b.Hears(one, before)
		b.Hears(other, before)
		if want := map[string]string{"PEN": "PEN:11", "MUG-BLUE": "MUG-BLUE:4/PEN:7"}[second]; b.Cart() != want {
			t.Errorf("the cart is %q, want %q", b.Cart(), want)
		}
	}
}

func TestManyAdditionsStayFewCookies(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	b := f.As("alice")
	for range 96 {
		b.Posts("/cart", "/#PEN", "sku", "PEN", "quantity", "1")
	}
	if b.Cart() != "PEN:96" || len(b.Cookies) > cart.Spread+2 {
		t.Errorf("the cart is %q, the cookies are %v", b.Cart(), b.Cookies)
	}
	b.Posts("/cart", "/#PEN", "sku", "PEN", "quantity", "8")
	b.Posts("/cart", "/", "sku", "PEN", "quantity", "8", "name", "Pen")
	b.Loads(200, "/", "There cannot be more of Pen in a cart")
	if b.Cart() != "PEN:99" {
		t.Errorf("the cart is %q", b.Cart())
	}
	b.Posts("/cart", "/cart#PEN", "sku", "PEN", "quantity", "5", "what", "set")
	if b.Cart() != "PEN:5" {
		t.Errorf("the cart is %q", b.Cart())
	}
	b.Loads(200, "/cart", "The quantity of PEN is changed.")
	b.Posts("/cart", "/cart", "sku", "PEN", "quantity", "0", "what", "set", "name", "Pen")
	if b.Loads(200, "/cart", "Pen is no longer in your cart."); b.Cart() != "" {
		t.Errorf("the cart is %q", b.Cart())
	}
}
