package main

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"
)

func TestACartHoldsOnlyWhatFits(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"PEN:2/INK:1": "PEN:2/INK:1", "": "", "PEN": "", "PEN:0": "", "PEN:-1": "", "PEN:100": "", "pen:1": "", "PEN:1/PEN:2": "PEN:1", "<b>:1/INK:1": "INK:1", "PEN:1:2": "",
	} {
		if got := parseCart(text).String(); got != want {
			t.Errorf("%q is %q", text, got)
		}
	}
	var k cart
	ok := true
	for i := range cartMost + 1 {
		var next cart
		if next, ok = k.with("SKU-"+string(rune('A'+i%26))+string(rune('A'+i/26)), 1000); ok {
			k = next
		}
	}
	if ok || len(k) != cartMost || k.units() != cartMost*quantityMost || len(parseCart(k.String())) != cartMost {
		t.Errorf("%d products, %d units", len(k), k.units())
	}
	k, _ = k.with(k[3].SKU, 0)
	if len(k) != cartMost-1 {
		t.Error("nothing was removed")
	}
}

func TestTwoAdditionsAtOnceAreTwo(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, second := range []string{"PEN", "MUG-BLUE"} {
		b := f.as("alice")
		for range 5 {
			b.posts("/cart", "/#PEN", "sku", "PEN", "quantity", "1")
		}
		before := b.copied()
		one, other := b.copied(), b.copied() // each is answered before it sees the cookies of the other
		one.posts("/cart", "/#PEN", "sku", "PEN", "quantity", "2")
		other.posts("/cart", "/#"+second, "sku", second, "quantity", "4")
		b.hears(one, before)
		b.hears(other, before)
		if want := map[string]string{"PEN": "PEN:11", "MUG-BLUE": "MUG-BLUE:4/PEN:7"}[second]; b.cart() != want {
			t.Errorf("the cart is %q, want %q", b.cart(), want)
		}
	}
}

func TestManyAdditionsStayFewCookies(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	b := f.as("alice")
	for range 96 {
		b.posts("/cart", "/#PEN", "sku", "PEN", "quantity", "1")
	}
	if b.cart() != "PEN:96" || len(b.cookies) > spread+2 {
		t.Errorf("the cart is %q, the cookies are %v", b.cart(), b.cookies)
	}
	b.posts("/cart", "/#PEN", "sku", "PEN", "quantity", "8")
	b.posts("/cart", "/", "sku", "PEN", "quantity", "8", "name", "Pen")
	b.loads(200, "/", "There cannot be more of Pen in a cart")
	if b.cart() != "PEN:99" {
		t.Errorf("the cart is %q", b.cart())
	}
	b.posts("/cart", "/cart#PEN", "sku", "PEN", "quantity", "5", "what", "set")
	if b.cart() != "PEN:5" {
		t.Errorf("the cart is %q", b.cart())
	}
	b.loads(200, "/cart", "The quantity of PEN is changed.")
	b.posts("/cart", "/cart", "sku", "PEN", "quantity", "0", "what", "set", "name", "Pen")
	if b.loads(200, "/cart", "Pen is no longer in your cart."); b.cart() != "" {
		t.Errorf("the cart is %q", b.cart())
	}
}

func TestUnitsAddedDuringTheCheckoutStay(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.answer("inventory", says(200, shelves))
	f.answer("orders", says(202, oneOrder))
	b := f.as("alice")
	b.posts("/cart", "/#INK", "sku", "INK", "quantity", "1")
	b.posts("/cart", "/cart", "sku", "INK", "quantity", "0", "what", "set")
	page := b.checkout("PEN")
	b.posts("/cart", "/#PEN", "sku", "PEN", "quantity", "2") // in another tab, before the order
	before := b.copied()
	tab := b.copied()
	tab.posts("/cart", "/#MUG-BLUE", "sku", "MUG-BLUE", "quantity", "1") // in another tab, meanwhile
	b.send(http.MethodPost, "/checkout", filled(page, "PEN:1"))
	b.hears(tab, before)
	if b.cart() != "MUG-BLUE:1/PEN:2" {
		t.Errorf("the cart is %q", b.cart())
	}
	// An order that is sent again, from the cache of the back button, takes nothing out of the next cart.
	b.send(http.MethodPost, "/checkout", filled(page, "PEN:1"))
	if b.cart() != "MUG-BLUE:1/PEN:2" {
		t.Errorf("after the same order again the cart is %q", b.cart())
	}
}

func TestACartBelongsToOnePerson(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.answer("inventory", says(200, shelves))
	f.gatewayKnows("alice", "orders")
	b := f.stranger()
	b.posts("/cart", "/#PEN", "sku", "PEN", "quantity", "1")
	b.posts("/sign-in", "/", "who", "alice")
	page := b.loads(200, "/checkout")
	delete(b.cookies, b.cookie(sessionCookie)) // her session ends
	b.send(http.MethodPost, "/checkout", filled(page, "PEN:1", "street", "Alice's street"))
	again := b.copied()
	if again.posts("/sign-in", "/checkout", "who", "alice", "next", "/checkout"); again.cart() != "PEN:1" {
		t.Errorf("her own cart is %q", again.cart())
	}
	again.loads(200, "/checkout", "Alice&#39;s street")
	f.gatewayKnows("bob", "orders")
	if b.posts("/sign-in", "/", "who", "bob"); b.cart() != "" {
		t.Errorf("bob has her cart: %q", b.cart())
	}
	if page := b.checkout("PEN"); strings.Contains(page, "Alice&#39;s street") {
		t.Errorf("bob sees where she lives: %s", page)
	}
	b.posts("/sign-out", "/")
	if b.loads(200, "/"); len(b.cookies) != 0 {
		t.Errorf("signing out leaves %v", b.cookies)
	}
}

const mixed = `{"items":[{"sku":"PEN","name":"Pen","price":{"amount":1000,"currency":"EUR"},"available":9},{"sku":"INK","name":"Ink","price":{"amount":2000,"currency":"USD"},"available":9},
	{"sku":"CAP","name":"Cap","price":{"amount":500,"currency":"EUR"},"available":9}]}`

func TestACartOfTwoCurrenciesIsOrderedInParts(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.answer("inventory", says(200, mixed))
	f.answer("orders", says(202, oneOrder))
	b := f.as("alice")
	for _, product := range []string{"PEN", "INK", "CAP"} {
		b.posts("/cart", "/#"+product, "sku", product, "quantity", "1")
	}
	page := b.loads(200, "/cart", "an order has only one", "€15.00", "$20.00", `href="/checkout?currency=EUR"`, `href="/checkout?currency=USD"`)
	if strings.Contains(page, "30.00") || strings.Contains(page, "35.00") || strings.Contains(page, `href="/checkout"`) {
		t.Errorf("the cart is %s", page)
	}
	for _, path := range []string{"/checkout", "/checkout?currency=CHF"} {
		if answer, _ := b.send(http.MethodGet, path, nil); answer.Header.Get("Location") != "/cart" {
			t.Errorf("%s: %s to %q", path, answer.Status, answer.Header.Get("Location"))
		}
	}
	page = b.loads(200, "/checkout?currency=EUR", `name="cart" value="CAP:1/PEN:1"`, `name="total" value="1500 EUR"`)
	if strings.Contains(page, "Ink") {
		t.Errorf("the part has the other currency: %s", page)
	}
	dollars := b.loads(200, "/checkout?currency=USD", `name="cart" value="INK:1"`) // in another tab
	if found(keyOf, dollars) == found(keyOf, page) {
		t.Error("two orders have one key")
	}
	b.send(http.MethodPost, "/checkout", filled(page, "CAP:1/PEN:1"))
	if b.cart() != "INK:1" {
		t.Errorf("the rest is %q", b.cart())
	}
	if rest := b.loads(200, "/checkout", "$20.00"); found(keyOf, rest) != found(keyOf, dollars) {
		t.Error("the rest would be ordered twice")
	}
	if b.send(http.MethodPost, "/checkout", filled(dollars, "INK:1")); b.cart() != "" {
		t.Errorf("left over is %q", b.cart())
	}
}

func TestACartGivesHelpfulAdvice(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.answer("inventory", says(200, shelves))
	for product, want := range map[string]string{
		"PEN": "Only 2 left, and no more will come", "NIB": "Sold out, and no more will come: please remove it",
		"INK": "Sold out for now: allow to wait", "GONE": "No longer for sale",
	} {
		b := f.as("alice")
		b.posts("/cart", "/cart#"+product, "sku", product, "quantity", "5", "what", "set")
		b.loads(200, "/cart", want)
		if page := b.loads(200, "/checkout"); strings.Contains(page, "What it costs is asked") || strings.Contains(page, `remove it from <a href="/cart">`) != (product == "GONE") {
			t.Errorf("the checkout of %s says %s", product, page)
		}
	}
}

func TestAddingLeadsBackToTheProductAndNamesIt(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.answer("inventory", says(200, shelves))
	b := f.as("alice")
	b.loads(200, "/?page=2", `name="back" value="/?page=2"`, `name="name" value="Blue mug"`, `id="MUG-BLUE"`)
	b.posts("/cart", "/?page=2#MUG-BLUE", "sku", "MUG-BLUE", "quantity", "1", "name", "Blue <mug>", "back", "/?page=2")
	b.loads(200, "/?page=2", `Blue &lt;mug&gt; is in your cart. <a href="/cart">`)
	b.posts("/cart", "/#PEN", "sku", "PEN", "quantity", "1", "back", "https://evil.example/")
	b.loads(200, "/", "PEN is in your cart.")
	answer, _ := b.send(http.MethodPost, "/cart", url.Values{"sku": {"PEN"}, "quantity": {"1"}, "name": {strings.Repeat("W", 5000)}})
	for _, c := range answer.Cookies() {
		if len(c.Value) > 1000 {
			t.Errorf("the cookie %s has %d bytes", c.Name, len(c.Value))
		}
	}
}

// Whatever cookies a browser sends, the cart can be ordered, and taking it out leaves nothing.
func FuzzBasket(f *testing.F) {
	f.Add("orderflow_cart.PEN.a_80=2; orderflow_cart.PEN.b_80=99; orderflow_cart.INK_80=1; orderflow_cart.pen.c_80=1")
	f.Add("orderflow_cart.PEN.a_80=+2; orderflow_cart.A.B.C_80=3; orderflow_cart_80=PEN:2/INK:7; orderflow_cart=CAP:1; orderflow_cart._80=1")
	f.Add("orderflow_cart.PEN.old_80=2; orderflow_cart_80=PEN:2; orderflow_cart.PEN.old_80=3")
	f.Fuzz(func(t *testing.T, cookies string) {
		r := httptest.NewRequest(http.MethodGet, "http://shop/", nil)
		r.Header.Set("Cookie", cookies)
		w := httptest.NewRecorder()
		c := echo.New().NewContext(r, w)
		k := cartOf(c)
		if !slices.Equal(parseCart(k.String()), k) {
			t.Fatalf("%q is %q", cookies, k)
		}
		basketOf(c).takeOut(k)
		after := httptest.NewRequest(http.MethodGet, "http://shop/", nil)
		now := map[string]*http.Cookie{}
		for _, cookie := range append(r.Cookies(), w.Result().Cookies()...) {
			now[cookie.Name] = cookie
		}
		for _, cookie := range now {
			if cookie.MaxAge >= 0 {
				after.AddCookie(cookie)
			}
		}
		if left := cartOf(echo.New().NewContext(after, nil)); len(left) != 0 && len(k) < cartMost {
			t.Errorf("%q leaves %q", cookies, left)
		}
	})
}

// A total is read exactly as it was written, or not at all.
func FuzzTotal(f *testing.F) {
	for _, text := range []string{"1500 EUR", "", "0 XXX", "-1 EUR", "999999999999999999 EUR", "1500 EUR EUR"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		m := readTotal(text)
		if written := (checkout{Price: m}).Total(); m.Amount < 0 || readTotal(written) != m || m.Currency != "" && strings.TrimLeft(text, "0") != strings.TrimLeft(written, "0") {
			t.Errorf("%q is read as %+v", text, m)
		}
	})
}
