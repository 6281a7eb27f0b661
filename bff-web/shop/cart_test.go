package shop_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"example.com/orderflow/bff-web/app/apptest"
	"example.com/orderflow/bff-web/internal/visitor"
)

func TestUnitsAddedDuringTheCheckoutStay(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	f.Answer("inventory", apptest.Says(200, apptest.Shelves))
	f.Answer("orders", apptest.Says(202, apptest.OneOrder))
	b := f.As("alice")
	b.Posts("/cart", "/#INK", "sku", "INK", "quantity", "1")
	b.Posts("/cart", "/cart", "sku", "INK", "quantity", "0", "what", "set")
	page := b.Checkout("PEN")
	b.Posts("/cart", "/#PEN", "sku", "PEN", "quantity", "2") // in another tab, before the order
	before := b.Copied()
	tab := b.Copied()
	tab.Posts("/cart", "/#MUG-BLUE", "sku", "MUG-BLUE", "quantity", "1") // in another tab, meanwhile
	b.Send(http.MethodPost, "/checkout", apptest.Filled(page, "PEN:1"))
	b.Hears(tab, before)
	if b.Cart() != "MUG-BLUE:1/PEN:2" {
		t.Errorf("the cart is %q", b.Cart())
	}
	// An order that is sent again, from the cache of the back button, takes nothing out of the next cart.
	b.Send(http.MethodPost, "/checkout", apptest.Filled(page, "PEN:1"))
	if b.Cart() != "MUG-BLUE:1/PEN:2" {
		t.Errorf("after the same order again the cart is %q", b.Cart())
	}
}

func TestACartBelongsToOnePerson(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	f.Answer("inventory", apptest.Says(200, apptest.Shelves))
	f.GatewayKnows("alice", "orders")
	b := f.Stranger()
	b.Posts("/cart", "/#PEN", "sku", "PEN", "quantity", "1")
	b.Posts("/sign-in", "/", "who", "alice")
	page := b.Loads(200, "/checkout")
	delete(b.Cookies, b.Cookie(visitor.SessionCookie)) // her session ends
	b.Send(http.MethodPost, "/checkout", apptest.Filled(page, "PEN:1", "street", "Alice's street"))
	again := b.Copied()
	if again.Posts("/sign-in", "/checkout", "who", "alice", "next", "/checkout"); again.Cart() != "PEN:1" {
		t.Errorf("her own cart is %q", again.Cart())
	}
	again.Loads(200, "/checkout", "Alice&#39;s street")
	f.GatewayKnows("bob", "orders")
	if b.Posts("/sign-in", "/", "who", "bob"); b.Cart() != "" {
		t.Errorf("bob has her cart: %q", b.Cart())
	}
	if page := b.Checkout("PEN"); strings.Contains(page, "Alice&#39;s street") {
		t.Errorf("bob sees where she lives: %s", page)
	}
	b.Posts("/sign-out", "/")
	if b.Loads(200, "/"); len(b.Cookies) != 0 {
		t.Errorf("signing out leaves %v", b.Cookies)
	}
}

const mixed = `{"items":[{"sku":"PEN","name":"Pen","price":{"amount":1000,"currency":"EUR"},"available":9},{"sku":"INK","name":"Ink","price":{"amount":2000,"currency":"USD"},"available":9},
	{"sku":"CAP","name":"Cap","price":{"amount":500,"currency":"EUR"},"available":9}]}`

func TestACartOfTwoCurrenciesIsOrderedInParts(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	f.Answer("inventory", apptest.Says(200, mixed))
	f.Answer("orders", apptest.Says(202, apptest.OneOrder))
	b := f.As("alice")
	for _, product := range []string{"PEN", "INK", "CAP"} {
		b.Posts("/cart", "/#"+product, "sku", product, "quantity", "1")
	}
	page := b.Loads(200, "/cart", "an order has only one", "€15.00", "$20.00", `href="/checkout?currency=EUR"`, `href="/checkout?currency=USD"`)
	if strings.Contains(page, "30.00") || strings.Contains(page, "35.00") || strings.Contains(page, `href="/checkout"`) {
		t.Errorf("the cart is %s", page)
	}
	for _, path := range []string{"/checkout", "/checkout?currency=CHF"} {
		if answer, _ := b.Send(http.MethodGet, path, nil); answer.Header.Get("Location") != "/cart" {
			t.Errorf("%s: %s to %q", path, answer.Status, answer.Header.Get("Location"))
		}
	}
	page = b.Loads(200, "/checkout?currency=EUR", `name="cart" value="CAP:1/PEN:1"`, `name="total" value="1500 EUR"`)
	if strings.Contains(page, "Ink") {
		t.Errorf("the part has the other currency: %s", page)
	}
	dollars := b.Loads(200, "/checkout?currency=USD", `name="cart" value="INK:1"`) // in another tab
	if apptest.Found(apptest.KeyOf, dollars) == apptest.Found(apptest.KeyOf, page) {
		t.Error("two orders have one key")
	}
	b.Send(http.MethodPost, "/checkout", apptest.Filled(page, "CAP:1/PEN:1"))
	if b.Cart() != "INK:1" {
		t.Errorf("the rest is %q", b.Cart())
	}
	if rest := b.Loads(200, "/checkout", "$20.00"); apptest.Found(apptest.KeyOf, rest) != apptest.Found(apptest.KeyOf, dollars) {
		t.Error("the rest would be ordered twice")
	}
	if b.Send(http.MethodPost, "/checkout", apptest.Filled(dollars, "INK:1")); b.Cart() != "" {
		t.Errorf("left over is %q", b.Cart())
	}
}

func TestACartGivesHelpfulAdvice(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	f.Answer("inventory", apptest.Says(200, apptest.Shelves))
	for product, want := range map[string]string{
		"PEN": "Only 2 left, and no more will come", "NIB": "Sold out, and no more will come: please remove it",
		"INK": "Sold out for now: allow to wait", "GONE": "No longer for sale",
	} {
		b := f.As("alice")
		b.Posts("/cart", "/cart#"+product, "sku", product, "quantity", "5", "what", "set")
		b.Loads(200, "/cart", want)
		if page := b.Loads(200, "/checkout"); strings.Contains(page, "What it costs is asked") || strings.Contains(page, `remove it from <a href="/cart">`) != (product == "GONE") {
			t.Errorf("the checkout of %s says %s", product, page)
		}
	}
}

func TestAddingLeadsBackToTheProductAndNamesIt(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	f.Answer("inventory", apptest.Says(200, apptest.Shelves))
	b := f.As("alice")
	b.Loads(200, "/?page=2", `name="back" value="/?page=2"`, `name="name" value="Blue mug"`, `id="MUG-BLUE"`)
	b.Posts("/cart", "/?page=2#MUG-BLUE", "sku", "MUG-BLUE", "quantity", "1", "name", "Blue <mug>", "back", "/?page=2")
	b.Loads(200, "/?page=2", `Blue &lt;mug&gt; is in your cart. <a href="/cart">`)
	b.Posts("/cart", "/#PEN", "sku", "PEN", "quantity", "1", "back", "https://evil.example/")
	b.Loads(200, "/", "PEN is in your cart.")
	answer, _ := b.Send(http.MethodPost, "/cart", url.Values{"sku": {"PEN"}, "quantity": {"1"}, "name": {strings.Repeat("W", 5000)}})
	for _, c := range answer.Cookies() {
		if len(c.Value) > 1000 {
			t.Errorf("the cookie %s has %d bytes", c.Name, len(c.Value))
		}
	}
}
