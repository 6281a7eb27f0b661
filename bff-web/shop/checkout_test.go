package shop_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"example.com/orderflow/bff-web/app/apptest"
	"example.com/orderflow/bff-web/internal/cart"
	"example.com/orderflow/bff-web/internal/visitor"
	"example.com/orderflow/bff-web/shop"
)

const reused = `{"type":"urn:orderflow:problem:key-reused","detail":"this Idempotency-Key was used for another order","links":{"order":"/api/orders/0190-abcdef12"}}`

func TestACheckoutMakesOneOrderHoweverOftenItIsSent(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	f.Answer("inventory", apptest.Says(200, apptest.Shelves))
	b := f.As("alice")
	page := b.Checkout("MUG-BLUE")
	if other := b.Loads(200, "/checkout", `value="tok_declined"`, `value="Alice"`, "€1,299.50"); apptest.Found(apptest.KeyOf, other) != apptest.Found(apptest.KeyOf, page) {
		t.Error("another tab would order the same cart once more")
	}
	f.Answer("orders", apptest.Says(202, apptest.OneOrder))
	for range 2 { // the second time, the cart is empty
		answer, _ := b.Send(http.MethodPost, "/checkout", apptest.Filled(page, "MUG-BLUE:1"))
		if answer.Header.Get("Location") != "/orders/0190-abcdef12" {
			t.Errorf("%s to %q", answer.Status, answer.Header.Get("Location"))
		}
		if key := f.Asked("orders").Header.Get("Idempotency-Key"); key != apptest.Found(apptest.KeyOf, page) {
			t.Errorf("the key is %q", key)
		}
	}
	if b.Cart() != "" {
		t.Error("the cart is still full")
	}
	if answer, _ := b.Send(http.MethodGet, "/checkout", nil); answer.Header.Get("Location") != "/cart" {
		t.Error("there is a checkout of nothing")
	}
	if next := b.Checkout("PEN"); apptest.Found(apptest.KeyOf, next) == apptest.Found(apptest.KeyOf, page) {
		t.Error("the next cart has the key of the last one")
	}
}

// An answer can be lost without any fault of the customer, who then comes back and takes another card. That must not make a
// second order.
func TestAnAnswerThatIsLostMakesNoSecondOrderByItself(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	f.Answer("inventory", apptest.Says(200, apptest.Shelves))
	b := f.As("alice")
	key := apptest.Found(apptest.KeyOf, b.Checkout("PEN"))
	for name, change := range map[string]struct {
		orders http.HandlerFunc
		fields []string
		status int
	}{
		"nobody knows what became of it": {apptest.Says(504, `{}`), nil, 503},
		"a field is wrong":               {apptest.Refuses(422, `{"errors":[{"field":"shipping_address.city","message":"is nowhere"}]}`), []string{"city", "X"}, 422},
		"it costs something else":        {apptest.Refuses(409, `{"type":"urn:orderflow:problem:total-changed","total":{"amount":7,"currency":"EUR"}}`), nil, 409},
		"an address is refused":          {apptest.Refuses(400, `{"detail":"no"}`), nil, 422},
	} {
		f.Answer("orders", change.orders)
		page := b.Loads(200, "/checkout") // the customer goes back, and opens the checkout again
		if apptest.Found(apptest.KeyOf, page) != key {
			t.Fatalf("%s: the form has another key before it", name)
		}
		answer, page := b.Send(http.MethodPost, "/checkout", apptest.Filled(page, "PEN:1", change.fields...))
		if answer.StatusCode != change.status || apptest.Found(apptest.KeyOf, page) != key {
			t.Errorf("%s: %s, and the key is %q: %s", name, answer.Status, apptest.Found(apptest.KeyOf, page), page)
		}
	}

	f.Answer("orders", apptest.Refuses(422, reused))
	answer, page := b.Send(http.MethodPost, "/checkout", apptest.Filled(b.Loads(200, "/checkout"), "PEN:1", "payment_method", "tok_flaky"))
	second := apptest.Found(apptest.KeyOf, page)
	if answer.StatusCode != http.StatusConflict || second == key || b.Cart() != "PEN:1" {
		t.Fatalf("%s with the key %q and the cart %q", answer.Status, second, b.Cart())
	}
	for _, want := range []string{"You have placed this order already", `href="/orders/0190-abcdef12"`, "Place a second order", `name="again" value="yes" required`, `value="tok_flaky" checked`} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}

	// The back button and a new start do not make a second order either.
	if _, page := b.Send(http.MethodPost, "/checkout", apptest.Filled(b.Loads(200, "/checkout"), "PEN:1", "payment_method", "tok_flaky")); apptest.Found(apptest.KeyOf, page) != second {
		t.Errorf("after the back button the key is %q: %s", apptest.Found(apptest.KeyOf, page), page)
	}

	// Pressing the button once more is not enough: the customer must confirm the second order.
	f.Answer("orders", func(http.ResponseWriter, *http.Request) { t.Error("it is ordered again") })
	form := apptest.Filled(page, "PEN:1", "made", "/orders/0190-abcdef12")
	if answer, page = b.Send(http.MethodPost, "/checkout", form); answer.StatusCode != 422 || apptest.Found(apptest.KeyOf, page) != second || !strings.Contains(page, `id="again-error"`) {
		t.Errorf("%s: %s", answer.Status, page)
	}
	f.Answer("orders", apptest.Says(202, apptest.OneOrder))
	form.Set("again", "yes")
	if answer, _ = b.Send(http.MethodPost, "/checkout", form); answer.StatusCode != http.StatusSeeOther || f.Asked("orders").Header.Get("Idempotency-Key") != second || b.Cart() != "" {
		t.Errorf("%s, and the cart is %q", answer.Status, b.Cart())
	}
}

// The key stays the same whether the page knows the price or not, because the cart is the same.
func TestACartKeepsItsKeyWhenTheCatalogueGoesAndComes(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	down := apptest.Says(500, `{}`)
	for name, answers := range map[string][2]http.HandlerFunc{"it goes": {apptest.Says(200, apptest.Shelves), down}, "it comes": {down, apptest.Says(200, apptest.Shelves)}} {
		f.App.Shop.Age(2 * shop.StaleFor)
		f.Answer("inventory", answers[0])
		b := f.As("alice")
		key := apptest.Found(apptest.KeyOf, b.Checkout("PEN"))
		f.App.Shop.Age(2 * shop.StaleFor)
		f.Answer("inventory", answers[1])
		if page := b.Loads(200, "/checkout"); apptest.Found(apptest.KeyOf, page) != key {
			t.Errorf("%s, and the cart would be ordered again", name)
		}
	}
}

func TestThePreviousReleaseOfOrdersReportsAUsedKeyOnlyInWords(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	b := f.As("alice")
	page := b.Checkout("PEN")
	f.Answer("orders", apptest.Refuses(422, `{"type":"urn:orderflow:problem:invalid","detail":"this Idempotency-Key was used for another order"}`))
	answer, page := b.Send(http.MethodPost, "/checkout", apptest.Filled(page, "PEN:1"))
	if answer.StatusCode != http.StatusConflict || !strings.Contains(page, `href="/orders"`) || !strings.Contains(page, "Place a second order") {
		t.Errorf("%s: %s", answer.Status, page)
	}
}

func TestAFormWithoutItsKeyIsNotSent(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	b := f.As("alice")
	page := b.Checkout("PEN")
	f.Answer("orders", func(http.ResponseWriter, *http.Request) { t.Error("it is ordered") })
	for _, key := range []string{"", "a key", strings.Repeat("A", 300), "short"} {
		answer, page := b.Send(http.MethodPost, "/checkout", apptest.Filled(page, "PEN:1", "key", key))
		if answer.StatusCode != 422 || !cart.KeyForm.MatchString(apptest.Found(apptest.KeyOf, page)) || !strings.Contains(page, "Nothing has been ordered") {
			t.Errorf("%q: %s", key, answer.Status)
		}
	}
	if answer, _ := b.Send(http.MethodPost, "/checkout", apptest.Filled(page, "")); answer.Header.Get("Location") != "/cart" {
		t.Errorf("without a cart: %s to %q", answer.Status, answer.Header.Get("Location"))
	}
}

func TestACustomerPaysWhatThePageHasShown(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	f.Answer("inventory", apptest.Says(200, apptest.Shelves))
	b := f.As("alice")
	page := b.Checkout("MUG-BLUE")
	f.Answer("orders", apptest.Refuses(409, `{"type":"urn:orderflow:problem:total-changed","detail":"no","total":{"amount":990000,"currency":"EUR"}}`))
	answer, page := b.Send(http.MethodPost, "/checkout", apptest.Filled(page, "MUG-BLUE:1"))
	if got := f.Asked("orders").Header.Get("Expected-Total"); got != "129950 EUR" {
		t.Errorf("the expected total is %q", got)
	}
	if answer.StatusCode != http.StatusConflict || apptest.Found(apptest.TotalOf, page) != "990000 EUR" {
		t.Errorf("%s with the total %q", answer.Status, apptest.Found(apptest.TotalOf, page))
	}
	for _, want := range []string{"it costs something else than was shown", "The total was €1,299.50 and is €9,900.00 now.", `<s class="price">€1,299.50</s>`, `<strong class="price">€9,900.00</strong>`, `value="Elm"`} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q:\n%s", want, page)
		}
	}
	f.Answer("orders", apptest.Says(202, apptest.OneOrder))
	b.Send(http.MethodPost, "/checkout", apptest.Filled(page, "MUG-BLUE:1"))
	if got := f.Asked("orders").Header.Get("Expected-Total"); got != "990000 EUR" {
		t.Errorf("after agreeing the expected total is %q", got)
	}
}

// If the price changes and the form comes back because of another error, the page shows the old price beside the new one.
func TestAFormThatComesBackShowsThePriceThatItHadBefore(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	f.Answer("inventory", apptest.Says(200, apptest.Shelves))
	b := f.As("alice")
	page := b.Checkout("MUG-BLUE")
	f.Answer("inventory", apptest.Says(200, strings.ReplaceAll(apptest.Shelves, "129950", "200000")))
	f.Answer("orders", apptest.Refuses(422, `{"errors":[{"field":"shipping_address.city","message":"is nowhere"}]}`))
	_, page = b.Send(http.MethodPost, "/checkout", apptest.Filled(page, "MUG-BLUE:1"))
	if !strings.Contains(page, `<s class="price">€1,299.50</s>`) || apptest.Found(apptest.TotalOf, page) != "200000 EUR" {
		t.Errorf("%q, %s", apptest.Found(apptest.TotalOf, page), page)
	}
}

// Without the catalogue the page knows no price. It sends a price that no order has, and orders answers with the real one.
func TestWithoutTheCatalogueAPriceIsShownBeforeItIsCharged(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	f.Services["inventory"].Close()
	b := f.As("alice")
	page := b.Checkout("PEN")
	if apptest.Found(apptest.TotalOf, page) != "" || !strings.Contains(page, "shown to you before it is ordered") {
		t.Errorf("the page is %s", page)
	}
	f.Answer("orders", apptest.Refuses(409, `{"type":"urn:orderflow:problem:total-changed","total":{"amount":500,"currency":"EUR"}}`))
	_, page = b.Send(http.MethodPost, "/checkout", apptest.Filled(page, "PEN:1"))
	if got := f.Asked("orders").Header.Get("Expected-Total"); got != "0 XXX" {
		t.Errorf("the expected total is %q", got)
	}
	if apptest.Found(apptest.TotalOf, page) != "500 EUR" || !strings.Contains(page, "€5.00") || strings.Contains(page, "<s ") {
		t.Errorf("the page is %s", page)
	}
	f.Answer("orders", apptest.Says(503, `{}`))
	if _, page = b.Send(http.MethodPost, "/checkout", apptest.Filled(page, "PEN:1")); apptest.Found(apptest.TotalOf, page) != "500 EUR" {
		t.Errorf("the price is forgotten: %s", page)
	}
}

func TestACheckoutThatFailsKeepsTheInputAndPointsAtTheError(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	f.Answer("inventory", apptest.Says(200, apptest.Shelves))
	b := f.As("alice")
	page := b.Checkout("PEN")
	f.Answer("orders", apptest.Refuses(422, `{"detail":"4 fields","errors":[{"field":"lines[0].sku","message":"is out of print"},{"field":"shipping_address.country","message":"is nowhere"},
		{"field":"shipping_address.street","message":"is blank"},{"field":"payment_method","message":"is a card number"},{"field":"new_field","message":"is missing"}]}`))
	answer, page := b.Send(http.MethodPost, "/checkout", apptest.Filled(page, "PEN:3", "payment_method", "tok_flaky", "country", "XX", "allow_backorder", "yes"))
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
	f := apptest.New(t)
	f.Answer("inventory", apptest.Says(200, apptest.Shelves))
	f.GatewayKnows("alice", "orders")
	for name, ends := range map[string]func(*apptest.Browser){
		"by the clock":   func(b *apptest.Browser) { delete(b.Cookies, b.Cookie(visitor.SessionCookie)) },
		"by the service": func(b *apptest.Browser) { f.Answer("orders", apptest.Refuses(401, `{}`)) },
	} {
		b := f.As("alice")
		page := b.Checkout("PEN")
		key := apptest.Found(apptest.KeyOf, page)
		ends(b)
		answer, _ := b.Send(http.MethodPost, "/checkout", apptest.Filled(page, "PEN:1", "street", "Elm <1>", "city", "4111 1111 1111 1111", "payment_method", "tok_flaky", "allow_backorder", "yes"))
		if to := answer.Header.Get("Location"); answer.StatusCode != http.StatusSeeOther || to != "/sign-in?next=%2Fcheckout" {
			t.Fatalf("%s: %s to %q", name, answer.Status, to)
		}
		for cookie, value := range b.Cookies {
			if strings.Contains(value, "Elm") {
				t.Errorf("%s: the cookie %s has the address for everybody to read", name, cookie)
			}
		}
		b.Loads(200, "/sign-in?next=%2Fcheckout", "what you typed is kept")
		b.Posts("/sign-in", "/checkout", "who", "alice", "next", "/checkout")
		page = b.Loads(200, "/checkout", "Nothing has been ordered yet", `value="Elm &lt;1&gt;"`, `value="tok_flaky" checked`, `value="yes" checked`, "1 × Pen")
		if apptest.Found(apptest.KeyOf, page) != key || strings.Contains(page, "4111") {
			t.Errorf("%s: the form has another key, or the number of a card", name)
		}
		f.Answer("orders", apptest.Says(202, apptest.OneOrder))
		b.Send(http.MethodPost, "/checkout", apptest.Filled(page, "PEN:1"))
		if page := b.Checkout("PEN"); strings.Contains(page, "Elm") {
			t.Errorf("%s: the next order begins with what was typed for this one", name)
		}
	}
}
