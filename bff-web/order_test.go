package main

import (
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

const oneOrder = `{"id":"0190-abcdef12","customer_id":"alice","status":"paid","lines":[{"sku":"MUG-BLUE","name":"Blue mug","quantity":2,"unit_price":{"amount":1299,"currency":"EUR"}}],
	"total":{"amount":2598,"currency":"EUR"},"shipping_address":{"name":"<Alice>","street":"1 Main St","city":"Berlin","postal_code":"10115","country":"DE"},
	"created_at":"2026-01-01T10:00:00Z","links":{"cancellation":"/api/orders/x/cancellation"}}`

const itsTracking = `{"order_id":"0190-abcdef12","status":"paid","timeline":[{"seq":1,"at":"2026-01-01T10:00:00Z","status":"placed","what":"order placed"},
	{"seq":2,"at":"2026-01-01T10:00:01Z","status":"paid","what":"paid, arranging shipment"}],"payment":{"status":"taken","amount":{"amount":2598,"currency":"EUR"}},
	"shipment":{"carrier":"Snail","tracking_number":"SN-1","stages":[{"stage":"in_transit","at":"2026-01-02T10:00:00Z"}]},"estimated_delivery":"2026-01-03T10:00:00Z"}`

// has answers the paths that begin so.
func has(answers map[string]http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if answer := answers[r.URL.Path]; answer != nil {
			answer(w, r)
			return
		}
		w.WriteHeader(http.StatusNotFound)
	}
}

func TestAnOrdersPageIsComposedOfAllThatIsKnownOfIt(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.answer("inventory", says(200, shelves))
	f.answer("orders", has(map[string]http.HandlerFunc{"/api/orders/1": says(200, oneOrder), "/api/orders/1/tracking": says(200, itsTracking)}))
	f.as("alice").loads(200, "/orders/1", "Order ABCDEF12", "order placed", "paid, arranging shipment", "Paid, €25.98", "Snail", "SN-1", "In transit",
		"Expected", "3 Jan 2026", `src="/api/products/MUG-BLUE/image"`, "2 × Blue mug", "&lt;Alice&gt;", `data-live="/orders/0190-abcdef12/live"`, "Cancel the order")
	if seen := f.asked("orders"); !strings.HasPrefix(seen.Header.Get("Authorization"), "Bearer ey") {
		t.Errorf("orders was asked with %v", seen.Header)
	}
	if f.asked("payments") != nil {
		t.Error("payments was asked for a shopper")
	}

	f.answer("payments", says(200, `{"status":"requested","attempts":3,"trouble":"the provider does not answer"}`))
	f.as("olga").loads(200, "/orders/1", "Behind the scenes", "alice", "3 attempts", "the provider does not answer")
}

func TestWhatIsMissingFromAPageIsAGap(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.services["inventory"].Close()
	f.answer("orders", has(map[string]http.HandlerFunc{"/api/orders/1": says(200, oneOrder), "/api/orders/1/tracking": says(503, `{}`)}))
	f.as("alice").loads(200, "/orders/1", "The timeline cannot be shown", "Payment and parcel cannot be shown", "Pictures cannot be shown", "2 × Blue mug", "€25.98")

	b := f.as("alice")
	b.cookies[b.cookie(cartCookie)] = "MUG-BLUE:2"
	b.loads(200, "/cart", "Names and prices cannot be shown", "MUG-BLUE", `value="2"`)
	b.loads(200, "/checkout", "Names and prices cannot be shown", "Place the order")

	f.answer("orders", says(200, `{"items":[`+oneOrder+`],"next_cursor":"abc"}`))
	b.loads(200, "/orders", "Pictures cannot be shown", "Order ABCDEF12", `href="/orders?cursor=abc"`)
	f.as("olga").loads(200, "/operations", "RabbitMQ cannot be asked", "away", "bff-web")
}

func TestWhatCannotBeSeenIsAPage(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.answer("orders", says(404, `{}`))
	f.as("alice").loads(404, "/orders/2", "There is nothing here")
	f.answer("orders", says(503, `{}`))
	f.as("alice").loads(503, "/orders/2", "We will be right back", `http-equiv="refresh"`)
	f.answer("orders", says(418, `{}`))
	f.as("alice").loads(500, "/orders/2", "Something went wrong")
}

func TestCancellingInTimeAndTooLate(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	b := f.as("alice")
	f.answer("orders", says(202, oneOrder))
	b.posts("/orders/7/cancellation", "/orders/7")
	if seen := f.asked("orders"); seen.Method != http.MethodPost || seen.URL.Path != "/api/orders/7/cancellation" {
		t.Errorf("orders was asked for %s %s", seen.Method, seen.URL)
	}
	f.answer("orders", says(409, `{}`))
	b.posts("/orders/7/cancellation", "/orders/7")
}

func TestTheStagesOfAnOrder(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ path, want string }{
		{"placed", "Placed:now Reserved:todo Paid:todo On its way:todo Delivered:todo"},
		{"placed backordered", "Waiting for stock:now Reserved:todo Paid:todo On its way:todo Delivered:todo"},
		{"placed backordered reserved paid", "Placed:done Reserved:done Paid:now On its way:todo Delivered:todo"},
		{"placed reserved paid shipped delivered", "Placed:done Reserved:done Paid:done On its way:done Delivered:done"},
		{"placed cancelled", "Placed:done Cancelled:stopped"},
		{"placed reserved releasing", "Placed:done Reserved:done Closing the order:stopped"},
		{"placed reserved paid withdrawing refunding releasing cancelled", "Placed:done Reserved:done Paid:done Cancelled:stopped"},
		{"placed reserved paid withdrawing shipped", "Placed:done Reserved:done Paid:done On its way:now Delivered:todo"},
	} {
		var timeline []entry
		for status := range strings.FieldsSeq(test.path) {
			timeline = append(timeline, entry{Status: status})
		}
		var got []string
		for _, s := range stages(timeline[len(timeline)-1].Status, timeline) {
			got = append(got, s.Name+":"+s.State)
		}
		if strings.Join(got, " ") != test.want {
			t.Errorf("%s:\n %s, want\n %s", test.path, strings.Join(got, " "), test.want)
		}
	}
}

var keyOf = regexp.MustCompile(`name="key" value="([^"]+)"`)

func TestACheckoutMakesOneOrderHoweverOftenItIsSent(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.answer("inventory", says(200, shelves))
	b := f.as("alice")
	b.posts("/cart", "/", "sku", "MUG-BLUE", "quantity", "1")
	page := b.loads(200, "/checkout", `value="tok_declined"`, `value="Alice"`, "€1,299.50", `name="cart" value="MUG-BLUE:1"`)
	key := keyOf.FindStringSubmatch(page)[1]
	if other := keyOf.FindStringSubmatch(b.loads(200, "/checkout"))[1]; other == key {
		t.Error("two forms have one key")
	}
	form := []string{"key", key, "cart", "MUG-BLUE:1", "payment_method", "tok_visa", "name", "Alice", "street", "S", "city", "C", "postal_code", "1", "country", "DE", "allow_backorder", "yes"}
	f.answer("orders", says(202, oneOrder))
	for range 2 { // the cookie of the cart is gone at the second
		b.posts("/checkout", "/orders/0190-abcdef12", form...)
		if seen := f.asked("orders"); seen.Header.Get("Idempotency-Key") != key {
			t.Errorf("the key is %q", seen.Header.Get("Idempotency-Key"))
		}
	}
	if b.cookies[b.cookie(cartCookie)] != "" {
		t.Error("the cart is still full")
	}
	if answer, _ := b.send(http.MethodGet, "/checkout", nil); answer.Header.Get("Location") != "/cart" {
		t.Error("there is a checkout of nothing")
	}
}

func TestACheckoutThatGoesWrongKeepsWhatWasTyped(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.answer("inventory", says(200, shelves))
	b := f.as("alice")
	form := url.Values{"key": {"a-key"}, "cart": {"PEN:3"}, "payment_method": {"tok_flaky"}, "name": {"Al"}, "street": {"Elm"}, "city": {"C"}, "postal_code": {"1"}, "country": {"XX"}, "allow_backorder": {"yes"}}
	f.answer("orders", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(422)
		_, _ = w.Write([]byte(`{"detail":"2 fields","errors":[{"field":"shipping_address.country","message":"is nowhere"},{"field":"lines[0].sku","message":"no product PEN"}]}`))
	})
	answer, page := b.send(http.MethodPost, "/checkout", form)
	for _, want := range []string{"is nowhere", "no product PEN", `value="Elm"`, `value="tok_flaky" checked`, `value="yes" checked`, "3 × Pen"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if answer.StatusCode != 422 || keyOf.FindStringSubmatch(page)[1] == "a-key" {
		t.Errorf("%s, and the key is the same", answer.Status)
	}
	// Nobody knows whether it was ordered, so sending it again must not be another order.
	f.services["orders"].Close()
	answer, page = b.send(http.MethodPost, "/checkout", form)
	if answer.StatusCode != 503 || keyOf.FindStringSubmatch(page)[1] != "a-key" || !strings.Contains(page, "not be ordered twice") {
		t.Errorf("%s: %s", answer.Status, page)
	}
}

func TestACartHoldsWhatFitsAndNothingElse(t *testing.T) {
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
