package order_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"example.com/orderflow/bff-web/app/apptest"
	"example.com/orderflow/pkg/bus"
)

func TestThePageBehindAnOrderIsForThoseWhoMaySeeIt(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	f.Answer("orders", apptest.Has(map[string]http.HandlerFunc{
		"/api/orders/o-1":          apptest.Says(200, `{"id":"o-1","customer_id":"alice","status":"delivered","lines":[],"created_at":"2026-01-02T00:00:00Z"}`),
		"/api/orders/o-1/tracking": apptest.Says(200, `{"order_id":"o-1","status":"delivered","timeline":[{"seq":1,"at":"2026-01-02T00:00:00Z","status":"placed","what":"order placed"}]}`),
	}))
	const page = "/orders/o-1/messages"
	f.As("alice").Loads(404, page)
	if order := f.As("alice").Loads(200, "/orders/o-1"); strings.Contains(order, "Behind this order") {
		t.Error("a shopper is shown messages")
	}
	f.As("olga").Loads(200, page, "Placed: order placed", "this program has no wire tap")

	f.App.Taps.Want = func(bool) {}
	f.As("olga").Loads(200, page, "RabbitMQ does not answer")
	f.App.Taps.Joined(true)
	f.App.Taps.Pass([]bus.Passage{{Way: bus.Sent, At: time.Date(2026, 1, 2, 0, 0, 1, 0, time.UTC), Delivery: bus.Delivery{Attempt: 1, Message: bus.Message{
		ID: "m-1", Kind: "inventory.reserve_stock", Source: "orders", Subject: "o-1", Time: time.Date(2026, 1, 2, 0, 0, 1, 0, time.UTC), Body: []byte(`{"order_id":"o-1"}`),
		TraceParent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
	}}}})
	f.As("olga").Loads(200, page, "when somebody began to look", "reserve_stock", "m-1", "0af7651916cd43dd8448eb211c80319c", "&#34;order_id&#34;: &#34;o-1&#34;")

	f.App.Taps.ShowAll = true
	f.As("alice").Loads(200, page, "reserve_stock")
	f.As("alice").Loads(200, "/orders/o-1", "Behind this order", page+"#step-3")
	f.Answer("orders", apptest.Says(404, `{}`))
	f.As("bob").Loads(404, page)
}
