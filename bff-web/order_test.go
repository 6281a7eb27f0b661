package main

import (
	"net/http"
	"strings"
	"testing"
)

const oneOrder = `{"id":"0190-abcdef12","customer_id":"alice","status":"paid","lines":[{"sku":"MUG-BLUE","name":"Blue mug","quantity":2,"unit_price":{"amount":1299,"currency":"EUR"}}],
	"total":{"amount":2598,"currency":"EUR"},"shipping_address":{"name":"<Alice>","street":"1 Main St","city":"Berlin","postal_code":"10115","country":"DE"},
	"created_at":"2026-01-01T10:00:00Z","links":{"cancellation":"/api/orders/x/cancellation"}}`

const itsTracking = `{"order_id":"0190-abcdef12","status":"paid","timeline":[{"seq":1,"at":"2026-01-01T10:00:00Z","status":"placed","what":"order placed"},
	{"seq":2,"at":"2026-01-01T10:00:01Z","status":"paid","what":"paid, arranging shipment"}],"payment":{"status":"taken","amount":{"amount":2598,"currency":"EUR"}},
	"shipment":{"carrier":"Snail","tracking_number":"SN-1","stages":[{"stage":"in_transit","at":"2026-01-02T10:00:00Z"}]},"estimated_delivery":"2026-01-03T10:00:00Z"}`

// has answers requests whose paths begin with one of the keys.
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
		"Expected", "3 Jan 2026", `src="/api/products/MUG-BLUE/image"`, "2 × Blue mug", "&lt;Alice&gt;", `data-live="0190-abcdef12" data-seq="2"`, `<time datetime="2026-01-01T10:00:01.000Z">1 Jan 2026, 10:00:01 UTC</time>`, "Really cancel", "Cancel the order")
	if seen := f.asked("orders"); !strings.HasPrefix(seen.Header.Get("Authorization"), "Bearer ey") {
		t.Errorf("orders was asked with %v", seen.Header)
	}
	if f.asked("payments") != nil {
		t.Error("payments was asked for a shopper")
	}

	f.answer("payments", says(200, `{"status":"requested","attempts":3,"last_error":"the provider does not answer"}`))
	f.answer("shipping", says(404, `{}`))
	f.as("olga").loads(200, "/orders/1", "Behind the scenes", "alice", "3 attempts", "the provider does not answer", "it was not asked for anything<",
		`<time datetime="2026-01-01T10:00:01.000Z" data-exact>1 Jan 2026, 10:00:01.000 UTC</time>`)
	f.services["payments"].Close()
	f.answer("shipping", says(503, `{}`))
	page := f.as("olga").loads(200, "/orders/1", "not known: payments cannot be reached (noticed", "not known: shipping cannot answer now (noticed")
	if strings.Contains(page, "it was not asked") {
		t.Error("nobody knows, and the page says that there is nothing")
	}
}

func TestAMissingPartOfAPageIsAGap(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.services["inventory"].Close()
	f.answer("orders", has(map[string]http.HandlerFunc{"/api/orders/1": says(200, oneOrder), "/api/orders/1/tracking": says(503, `{}`)}))
	f.as("alice").loads(200, "/orders/1", "The timeline cannot be shown", "Payment and parcel cannot be shown", "Pictures cannot be shown", "2 × Blue mug", "€25.98")

	b := f.as("alice")
	b.posts("/cart", "/#MUG-BLUE", "sku", "MUG-BLUE", "quantity", "2")
	b.loads(200, "/cart", "Names and prices cannot be shown", "MUG-BLUE", `value="2"`)
	b.loads(200, "/checkout", "Names and prices cannot be shown", "Place the order")

	f.answer("orders", says(200, `{"items":[`+oneOrder+`],"next_cursor":"abc"}`))
	b.loads(200, "/orders", "Pictures cannot be shown", "Order ABCDEF12", `href="/orders?cursor=abc"`)
	f.as("olga").loads(200, "/operations", "What waits in the queues is", "away", "bff-web")
}

func TestProductsWithoutPicturesAreNoGap(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.answer("orders", has(map[string]http.HandlerFunc{"/api/orders": says(200, `{"items":[`+oneOrder+`]}`), "/api/orders/1": says(200, oneOrder)}))
	for _, path := range []string{"/orders", "/orders/1"} { // inventory answers, and has no such product
		if page := f.as("alice").loads(200, path, "2 × Blue mug"); strings.Contains(page, "Pictures cannot be shown") {
			t.Errorf("%s: inventory was asked, and the page says that it was not", path)
		}
	}
}

func TestAnOrderThatCannotBeSeenIsAnErrorPage(t *testing.T) {
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
		{"placed reserved gift_wrapping", "Placed:done Reserved:done gift wrapping:now Paid:todo On its way:todo Delivered:todo"},
		{"placed gift_wrapping reserved", "Placed:done Reserved:now Paid:todo On its way:todo Delivered:todo"},
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
