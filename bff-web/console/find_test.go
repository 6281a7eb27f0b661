package console_test

import (
	"net/http"
	"strings"
	"testing"

	"example.com/orderflow/bff-web/app/apptest"
)

func TestAnOperatorFindsOrdersOnAPage(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	f.Answer("orders", apptest.Says(200, `{"items":[{"id":"01a225dd-be9a-7612-971a-15e0b931b137","customer_id":"bob","status":"releasing","tracking_number":"S 1","attention_since":"2026-01-01T10:00:00Z",
		"lines":[{"sku":"PEN","name":"Pen","quantity":2,"unit_price":{"amount":100,"currency":"EUR"}}],"total":{"amount":200,"currency":"EUR"}}],"next_cursor":"abc"}`))
	olga := f.As("olga")
	page := olga.Loads(200, "/operations/orders?status=releasing&customer=&id=&tracking=&sku=pen&from=2026-01-01T10:00&to=&attention=true&cursor=old",
		`href="/orders/01a225dd-be9a-7612-971a-15e0b931b137"`, "2 × PEN", "<code>S 1</code>", "needs attention since", "€2.00",
		`<option value="releasing" selected>`, `value="2026-01-01T10:00"`, " checked>",
		`href="/operations/orders?attention=true&amp;from=2026-01-01T10%3A00&amp;sku=PEN&amp;status=releasing"`,
		`href="/operations/orders?attention=true&amp;cursor=abc&amp;from=2026-01-01T10%3A00&amp;sku=PEN&amp;status=releasing"`)
	if strings.Contains(page, "no such order") {
		t.Error(page)
	}
	want := "attention=true&cursor=old&from=2026-01-01T10%3A00%3A00Z&limit=25&sku=PEN&status=releasing"
	if asked := f.Asked("orders"); asked.URL.Path != "/api/operations/orders" || asked.URL.RawQuery != want {
		t.Errorf("asked for %s", asked.URL)
	}
	f.Answer("orders", apptest.Says(200, `{"items":[],"next_cursor":"abc"}`))
	olga.Loads(200, "/operations/orders?sku=CUP", "among the orders that were looked at", "Older orders")
	f.Answer("orders", apptest.Says(200, `{"items":[]}`))
	olga.Loads(200, "/operations/orders", "There is no such order.")
	f.Answer("orders", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"detail":"id must be whole"}`))
	})
	olga.Loads(400, "/operations/orders?id=%3C1%3E", "Id must be whole.", `value="&lt;1&gt;"`)
	if answer, _ := f.As("alice").Send(http.MethodGet, "/operations/orders", nil); answer.StatusCode != http.StatusForbidden {
		t.Errorf("alice sees it: %s", answer.Status)
	}
}

func TestEveryNumberOfTheConsoleLeadsToItsOrders(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	f.Answer("orders", apptest.Has(map[string]http.HandlerFunc{
		"/readyz": apptest.Says(200, `{"status":"ready","rabbitmq_connected":true}`), "/metrics": apptest.Says(200, apptest.Metrics),
		"/api/operations/attention": apptest.Says(200, `{"items":[{"order_id":"1"},{"order_id":"2"}],"next_cursor":"abc"}`),
	}))
	f.As("olga").Loads(200, "/operations", `<a href="/operations/orders?status=paid">3<`, `<a href="/operations/orders?status=shipped">0<`,
		`<a href="/operations/orders?status=delivered">Delivered</a>`, `<a href="/operations/orders?attention=true">2 or more orders wait</a>`)
}
