package order_test

import (
	"net/http"
	"strings"
	"testing"

	"example.com/orderflow/bff-web/app/apptest"
)

const itsTracking = `{"order_id":"0190-abcdef12","status":"paid","timeline":[{"seq":1,"at":"2026-01-01T10:00:00Z","status":"placed","what":"order placed"},
	{"seq":2,"at":"2026-01-01T10:00:01Z","status":"paid","what":"paid, arranging shipment"}],"payment":{"status":"taken","amount":{"amount":2598,"currency":"EUR"}},
	"shipment":{"carrier":"Snail","tracking_number":"SN-1","stages":[{"stage":"in_transit","at":"2026-01-02T10:00:00Z"}]},"estimated_delivery":"2026-01-03T10:00:00Z"}`

func TestAnOrdersPageIsComposedOfAllThatIsKnownOfIt(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	f.Answer("inventory", apptest.Says(200, apptest.Shelves))
	f.Answer("orders", apptest.Has(map[string]http.HandlerFunc{"/api/orders/1": apptest.Says(200, apptest.OneOrder), "/api/orders/1/tracking": apptest.Says(200, itsTracking)}))
	f.As("alice").Loads(200, "/orders/1", "Order ABCDEF12", "order placed", "paid, arranging shipment", "Paid, €25.98", "Snail", "SN-1", "In transit",
		"Expected", "3 Jan 2026", `src="/api/products/MUG-BLUE/image"`, "2 × Blue mug", "&lt;Alice&gt;", `data-live="0190-abcdef12" data-seq="2"`, `<time datetime="2026-01-01T10:00:01.000Z">1 Jan 2026, 10:00:01 UTC</time>`, "Really cancel", "Cancel the order")
	if seen := f.Asked("orders"); !strings.HasPrefix(seen.Header.Get("Authorization"), "Bearer ey") {
		t.Errorf("orders was asked with %v", seen.Header)
	}
	if f.Asked("payments") != nil {
		t.Error("payments was asked for a shopper")
	}

	f.Answer("payments", apptest.Says(200, `{"status":"requested","attempts":3,"last_error":"the provider does not answer"}`))
	f.Answer("shipping", apptest.Says(404, `{}`))
	f.As("olga").Loads(200, "/orders/1", "Behind the scenes", "alice", "3 attempts", "the provider does not answer", "it was not asked for anything<",
		`<time datetime="2026-01-01T10:00:01.000Z" data-exact>1 Jan 2026, 10:00:01.000 UTC</time>`)
	f.Services["payments"].Close()
	f.Answer("shipping", apptest.Says(503, `{}`))
	page := f.As("olga").Loads(200, "/orders/1", "not known: payments cannot be reached (noticed", "not known: shipping cannot answer now (noticed")
	if strings.Contains(page, "it was not asked") {
		t.Error("nobody knows, and the page says that there is nothing")
	}
}

func TestAMissingPartOfAPageIsAGap(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	f.Services["inventory"].Close()
	f.Answer("orders", apptest.Has(map[string]http.HandlerFunc{"/api/orders/1": apptest.Says(200, apptest.OneOrder), "/api/orders/1/tracking": apptest.Says(503, `{}`)}))
	f.As("alice").Loads(200, "/orders/1", "The timeline cannot be shown", "Payment and parcel cannot be shown", "Pictures cannot be shown", "2 × Blue mug", "€25.98")

	b := f.As("alice")
	b.Posts("/cart", "/#MUG-BLUE", "sku", "MUG-BLUE", "quantity", "2")
	b.Loads(200, "/cart", "Names and prices cannot be shown", "MUG-BLUE", `value="2"`)
	b.Loads(200, "/checkout", "Names and prices cannot be shown", "Place the order")

	f.Answer("orders", apptest.Says(200, `{"items":[`+apptest.OneOrder+`],"next_cursor":"abc"}`))
	b.Loads(200, "/orders", "Pictures cannot be shown", "Order ABCDEF12", `href="/orders?cursor=abc"`)
	f.As("olga").Loads(200, "/operations", "What waits in the queues is", "away", "bff-web")
}

func TestProductsWithoutPicturesAreNoGap(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	f.Answer("orders", apptest.Has(map[string]http.HandlerFunc{"/api/orders": apptest.Says(200, `{"items":[`+apptest.OneOrder+`]}`), "/api/orders/1": apptest.Says(200, apptest.OneOrder)}))
	for _, path := range []string{"/orders", "/orders/1"} { // inventory answers, and has no such product
		if page := f.As("alice").Loads(200, path, "2 × Blue mug"); strings.Contains(page, "Pictures cannot be shown") {
			t.Errorf("%s: inventory was asked, and the page says that it was not", path)
		}
	}
}

func TestAnOrderThatCannotBeSeenIsAnErrorPage(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	f.Answer("orders", apptest.Says(404, `{}`))
	f.As("alice").Loads(404, "/orders/2", "There is nothing here")
	f.Answer("orders", apptest.Says(503, `{}`))
	f.As("alice").Loads(503, "/orders/2", "We will be right back", `http-equiv="refresh"`)
	f.Answer("orders", apptest.Says(418, `{}`))
	f.As("alice").Loads(500, "/orders/2", "Something went wrong")
}

func TestCancellingInTimeAndTooLate(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	b := f.As("alice")
	f.Answer("orders", apptest.Says(202, apptest.OneOrder))
	b.Posts("/orders/7/cancellation", "/orders/7")
	if seen := f.Asked("orders"); seen.Method != http.MethodPost || seen.URL.Path != "/api/orders/7/cancellation" {
		t.Errorf("orders was asked for %s %s", seen.Method, seen.URL)
	}
	f.Answer("orders", apptest.Says(409, `{}`))
	b.Posts("/orders/7/cancellation", "/orders/7")
}
