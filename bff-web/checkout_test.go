package main

import (
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

var (
	keyOf   = regexp.MustCompile(`name="key" value="([^"]*)"`)
	totalOf = regexp.MustCompile(`name="total" value="([^"]*)"`)
)

func found(in *regexp.Regexp, page string) string {
	if m := in.FindStringSubmatch(page); m != nil {
		return m[1]
	}
	return ""
}

// refuses returns a handler that answers with a problem.
func refuses(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// filled returns the form of a page as its customer has filled it in. fields are pairs of name and value.
func filled(page, cart string, fields ...string) url.Values {
	form := url.Values{
		"key": {found(keyOf, page)}, "total": {found(totalOf, page)}, "cart": {cart}, "payment_method": {"tok_visa"},
		"name": {"Al"}, "street": {"Elm"}, "city": {"C"}, "postal_code": {"1"}, "country": {"DE"},
	}
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	return form
}

// checkout fills a cart and opens the checkout.
func (b *browser) checkout(product string) string {
	b.Helper()
	b.posts("/cart", "/#"+product, "sku", product, "quantity", "1")
	return b.loads(200, "/checkout", "Place the order", `name="cart" value="`+product+`:1"`)
}

const reused = `{"type":"/docs/problems/key-reused","detail":"this Idempotency-Key was used for another order","links":{"order":"/api/orders/0190-abcdef12"}}`

func TestACheckoutMakesOneOrderHoweverOftenItIsSent(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.answer("inventory", says(200, shelves))
	b := f.as("alice")
	page := b.checkout("MUG-BLUE")
	if other := b.loads(200, "/checkout", `value="tok_declined"`, `value="Alice"`, "€1,299.50"); found(keyOf, other) != found(keyOf, page) {
		t.Error("another tab would order the same cart once more")
	}
	f.answer("orders", says(202, oneOrder))
	for range 2 { // the second time, the cart is empty
		answer, _ := b.send(http.MethodPost, "/checkout", filled(page, "MUG-BLUE:1"))
		if answer.Header.Get("Location") != "/orders/0190-abcdef12" {
			t.Errorf("%s to %q", answer.Status, answer.Header.Get("Location"))
		}
		if key := f.asked("orders").Header.Get("Idempotency-Key"); key != found(keyOf, page) {
			t.Errorf("the key is %q", key)
		}
	}
	if b.cart() != "" {
		t.Error("the cart is still full")
	}
	if answer, _ := b.send(http.MethodGet, "/checkout", nil); answer.Header.Get("Location") != "/cart" {
		t.Error("there is a checkout of nothing")
	}
	if next := b.checkout("PEN"); found(keyOf, next) == found(keyOf, page) {
		t.Error("the next cart has the key of the last one")
	}
}

// An answer can be lost without any fault of the customer, who then comes back and takes another card. That must not make a
// second order.
func TestAnAnswerThatIsLostMakesNoSecondOrderByItself(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.answer("inventory", says(200, shelves))
	b := f.as("alice")
	key := found(keyOf, b.checkout("PEN"))
	for name, change := range map[string]struct {
		orders http.HandlerFunc
		fields []string
		status int
	}{
		"nobody knows what became of it": {says(504, `{}`), nil, 503},
		"a field is wrong":               {refuses(422, `{"errors":[{"field":"shipping_address.city","message":"is nowhere"}]}`), []string{"city", "X"}, 422},
		"it costs something else":        {refuses(409, `{"type":"/docs/problems/total-changed","total":{"amount":7,"currency":"EUR"}}`), nil, 409},
		"an address is refused":          {refuses(400, `{"detail":"no"}`), nil, 422},
	} {
		f.answer("orders", change.orders)
		page := b.loads(200, "/checkout") // the customer goes back, and opens the checkout again
		if found(keyOf, page) != key {
			t.Fatalf("%s: the form has another key before it", name)
		}
		answer, page := b.send(http.MethodPost, "/checkout", filled(page, "PEN:1", change.fields...))
		if answer.StatusCode != change.status || found(keyOf, page) != key {
			t.Errorf("%s: %s, and the key is %q: %s", name, answer.Status, found(keyOf, page), page)
		}
	}

	f.answer("orders", refuses(422, reused))
	answer, page := b.send(http.MethodPost, "/checkout", filled(b.loads(200, "/checkout"), "PEN:1", "payment_method", "tok_flaky"))
	second := found(keyOf, page)
	if answer.StatusCode != http.StatusConflict || second == key || b.cart() != "PEN:1" {
		t.Fatalf("%s with the key %q and the cart %q", answer.Status, second, b.cart())
	}
	for _, want := range []string{"You have placed this order already", `href="/orders/0190-abcdef12"`, "Place a second order", `name="again" value="yes" required`, `value="tok_flaky" checked`} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}

	// The back button and a new start do not make a second order either.
	if _, page := b.send(http.MethodPost, "/checkout", filled(b.loads(200, "/checkout"), "PEN:1", "payment_method", "tok_flaky")); found(keyOf, page) != second {
		t.Errorf("after the back button the key is %q: %s", found(keyOf, page), page)
	}

	// Pressing the button once more is not enough: the customer must confirm the second order.
	f.answer("orders", func(http.ResponseWriter, *http.Request) { t.Error("it is ordered again") })
	form := filled(page, "PEN:1", "made", "/orders/0190-abcdef12")
	if answer, page = b.send(http.MethodPost, "/checkout", form); answer.StatusCode != 422 || found(keyOf, page) != second || !strings.Contains(page, `id="again-error"`) {
		t.Errorf("%s: %s", answer.Status, page)
	}
	f.answer("orders", says(202, oneOrder))
	form.Set("again", "yes")
	if answer, _ = b.send(http.MethodPost, "/checkout", form); answer.StatusCode != http.StatusSeeOther || f.asked("orders").Header.Get("Idempotency-Key") != second || b.cart() != "" {
		t.Errorf("%s, and the cart is %q", answer.Status, b.cart())
	}
}

// The key stays the same whether the page knows the price or not, because the cart is the same.
func TestACartKeepsItsKeyWhenTheCatalogueGoesAndComes(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	down := says(500, `{}`)
	for name, answers := range map[string][2]http.HandlerFunc{"it goes": {says(200, shelves), down}, "it comes": {down, says(200, shelves)}} {
		f.site.shelf.age(2 * staleFor)
		f.answer("inventory", answers[0])
		b := f.as("alice")
		key := found(keyOf, b.checkout("PEN"))
		f.site.shelf.age(2 * staleFor)
		f.answer("inventory", answers[1])
		if page := b.loads(200, "/checkout"); found(keyOf, page) != key {
			t.Errorf("%s, and the cart would be ordered again", name)
		}
	}
}

func TestThePreviousReleaseOfOrdersReportsAUsedKeyOnlyInWords(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	b := f.as("alice")
	page := b.checkout("PEN")
	f.answer("orders", refuses(422, `{"type":"/docs/problems/invalid","detail":"this Idempotency-Key was used for another order"}`))
	answer, page := b.send(http.MethodPost, "/checkout", filled(page, "PEN:1"))
	if answer.StatusCode != http.StatusConflict || !strings.Contains(page, `href="/orders"`) || !strings.Contains(page, "Place a second order") {
		t.Errorf("%s: %s", answer.Status, page)
	}
}

func TestAFormWithoutItsKeyIsNotSent(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	b := f.as("alice")
	page := b.checkout("PEN")
	f.answer("orders", func(http.ResponseWriter, *http.Request) { t.Error("it is ordered") })
	for _, key := range []string{"", "a key", strings.Repeat("A", 300), "short"} {
		answer, page := b.send(http.MethodPost, "/checkout", filled(page, "PEN:1", "key", key))
		if answer.StatusCode != 422 || !keyForm.MatchString(found(keyOf, page)) || !strings.Contains(page, "Nothing has been ordered") {
			t.Errorf("%q: %s", key, answer.Status)
		}
	}
	if answer, _ := b.send(http.MethodPost, "/checkout", filled(page, "")); answer.Header.Get("Location") != "/cart" {
		t.Errorf("without a cart: %s to %q", answer.Status, answer.Header.Get("Location"))
	}
}

func TestACustomerPaysWhatThePageHasShown(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.answer("inventory", says(200, shelves))
	b := f.as("alice")
	page := b.checkout("MUG-BLUE")
	f.answer("orders", refuses(409, `{"type":"/docs/problems/total-changed","detail":"no","total":{"amount":990000,"currency":"EUR"}}`))
	answer, page := b.send(http.MethodPost, "/checkout", filled(page, "MUG-BLUE:1"))
	if got := f.asked("orders").Header.Get("Expected-Total"); got != "129950 EUR" {
		t.Errorf("the expected total is %q", got)
	}
	if answer.StatusCode != http.StatusConflict || found(totalOf, page) != "990000 EUR" {
		t.Errorf("%s with the total %q", answer.Status, found(totalOf, page))
	}
	for _, want := range []string{"it costs something else than was shown", "The total was €1,299.50 and is €9,900.00 now.", `<s class="price">€1,299.50</s>`, `<strong class="price">€9,900.00</strong>`, `value="Elm"`} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}
	f.answer("orders", says(202, oneOrder))
	b.send(http.MethodPost, "/checkout", filled(page, "MUG-BLUE:1"))
	if got := f.asked("orders").Header.Get("Expected-Total"); got != "990000 EUR" {
		t.Errorf("after agreeing the expected total is %q", got)
	}
}

// If the price changes and the form comes back because of another error, the page shows the old price beside the new one.
func TestAFormThatComesBackShowsThePriceThatItHadBefore(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.answer("inventory", says(200, shelves))
	b := f.as("alice")
	page := b.checkout("MUG-BLUE")
	f.answer("inventory", says(200, strings.ReplaceAll(shelves, "129950", "200000")))
	f.answer("orders", refuses(422, `{"errors":[{"field":"shipping_address.city","message":"is nowhere"}]}`))
	_, page = b.send(http.MethodPost, "/checkout", filled(page, "MUG-BLUE:1"))
	if !strings.Contains(page, `<s class="price">€1,299.50</s>`) || found(totalOf, page) != "200000 EUR" {
		t.Errorf("%q, %s", found(totalOf, page), page)
	}
}

// Without the catalogue the page knows no price. It sends a price that no order has, and orders answers with the real one.
func TestWithoutTheCatalogueAPriceIsShownBeforeItIsCharged(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.services["inventory"].Close()
	b := f.as("alice")
	page := b.checkout("PEN")
	if found(totalOf, page) != "" || !strings.Contains(page, "shown to you before it is ordered") {
		t.Errorf("the page is %s", page)
	}
	f.answer("orders", refuses(409, `{"type":"/docs/problems/total-changed","total":{"amount":500,"currency":"EUR"}}`))
	_, page = b.send(http.MethodPost, "/checkout", filled(page, "PEN:1"))
	if got := f.asked("orders").Header.Get("Expected-Total"); got != "0 XXX" {
		t.Errorf("the expected total is %q", got)
	}
	if found(totalOf, page) != "500 EUR" || !strings.Contains(page, "€5.00") || strings.Contains(page, "<s ") {
		t.Errorf("the page is %s", page)
	}
	f.answer("orders", says(503, `{}`))
	if _, page = b.send(http.MethodPost, "/checkout", filled(page, "PEN:1")); found(totalOf, page) != "500 EUR" {
		t.Errorf("the price is forgotten: %s", page)
	}
}

func TestACheckoutThatFailsKeepsTheInputAndPointsAtTheError(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.answer("inventory", says(200, shelves))
	b := f.as("alice")
	page := b.checkout("PEN")
	f.answer("orders", refuses(422, `{"detail":"4 fields","errors":[{"field":"lines[0].sku","message":"is out of print"},{"field":"shipping_address.country","message":"is nowhere"},
		{"field":"shipping_address.street","message":"is blank"},{"field":"payment_method","message":"is a card number"},{"field":"new_field","message":"is missing"}]}`))
	answer, page := b.send(http.MethodPost, "/checkout", filled(page, "PEN:3", "payment_method", "tok_flaky", "country", "XX", "allow_backorder", "yes"))
	if answer.StatusCode != 422 {
		t.Error(answer.Status)
	}
	for _, want := range []string{
		`value="Elm"`, `value="tok_flaky" checked`, `value="yes" checked`, "3 × Pen", "Pen: is out of print.", "Is missing.",
		`<a href="#country">`, `<span class="error" id="country-error">is nowhere</span>`, `<span class="error" id="payment_method-error">is a card number</span>`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}
	for id, want := range map[string]string{
		"street": ` aria-invalid="true" aria-describedby="street-error " autofocus>`, "country": ` aria-invalid="true" aria-describedby="country-error ">`,
		"postal_code": ` maxlength="20" aria-describedby="postal-hint">`, "city": ` maxlength="100">`,
	} {
		if input := regexp.MustCompile(`(?s)<input id="` + id + `".*?>`).FindString(page); !strings.HasSuffix(input, want) {
			t.Errorf("the field is %s, and does not end in %s", input, want)
		}
	}
	if n := strings.Count(page, "autofocus"); n != 1 {
		t.Errorf("the focus is to be at %d places", n)
	}
}

func TestASessionThatEndsAtTheCheckoutLosesNothing(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.answer("inventory", says(200, shelves))
	f.gatewayKnows("alice", "orders")
	for name, ends := range map[string]func(*browser){
		"by the clock":   func(b *browser) { delete(b.cookies, b.cookie(sessionCookie)) },
		"by the service": func(b *browser) { f.answer("orders", refuses(401, `{}`)) },
	} {
		b := f.as("alice")
		page := b.checkout("PEN")
		key := found(keyOf, page)
		ends(b)
		answer, _ := b.send(http.MethodPost, "/checkout", filled(page, "PEN:1", "street", "Elm <1>", "city", "4111 1111 1111 1111", "payment_method", "tok_flaky", "allow_backorder", "yes"))
		if to := answer.Header.Get("Location"); answer.StatusCode != http.StatusSeeOther || to != "/sign-in?next=%2Fcheckout" {
			t.Fatalf("%s: %s to %q", name, answer.Status, to)
		}
		for cookie, value := range b.cookies {
			if strings.Contains(value, "Elm") {
				t.Errorf("%s: the cookie %s has the address for everybody to read", name, cookie)
			}
		}
		b.loads(200, "/sign-in?next=%2Fcheckout", "what you typed is kept")
		b.posts("/sign-in", "/checkout", "who", "alice", "next", "/checkout")
		page = b.loads(200, "/checkout", "Nothing has been ordered yet", `value="Elm &lt;1&gt;"`, `value="tok_flaky" checked`, `value="yes" checked`, "1 × Pen")
		if found(keyOf, page) != key || strings.Contains(page, "4111") {
			t.Errorf("%s: the form has another key, or the number of a card", name)
		}
		f.answer("orders", says(202, oneOrder))
		b.send(http.MethodPost, "/checkout", filled(page, "PEN:1"))
		if page := b.checkout("PEN"); strings.Contains(page, "Elm") {
			t.Errorf("%s: the next order begins with what was typed for this one", name)
		}
	}
}

func TestASessionThatEndsAtAnotherFormLeadsBackToItsPage(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for referer, next := range map[string]string{"http://shop.example/orders/7?x=1": "%2Forders%2F7%3Fx%3D1", "": "%2F", "::": "%2F", "http://evil.example//evil": "%2F"} {
		b := f.stranger()
		b.headers["Referer"] = referer
		b.posts("/orders/7/cancellation", "/sign-in?next="+next)
		b.loads(200, "/sign-in?next="+next, "Your session has ended. Nothing was done")
	}
}
