package health_test

import (
	"net/http"
	"strings"
	"testing"

	"example.com/orderflow/bff-web/app/apptest"
	"example.com/orderflow/bff-web/internal/health"
	"example.com/orderflow/bff-web/internal/orders"
)

func TestAProgramTellsHowItIs(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	f.Answer("orders", apptest.Has(map[string]http.HandlerFunc{"/readyz": apptest.Says(200, `{"status":"ready","rabbitmq_connected":false}`), "/metrics": apptest.Says(200, apptest.Metrics)}))
	f.Answer("payments", apptest.Has(map[string]http.HandlerFunc{"/readyz": apptest.Says(503, `{"status":"draining"}`)}))
	f.Services["shipping"].Close()
	found := map[string]health.Health{}
	for _, h := range f.App.Checker.CheckUp(t.Context()) {
		found[h.Name] = h
	}
	if h := found["orders"]; h.State != "ready" || h.RabbitMQ != "away" || h.Outbox != "2, the oldest for 1m2s; 1 refused by the broker" || !h.Troubled || strings.Join(h.Breakers, " ") != "orders at http://a" {
		t.Errorf("orders: %+v", h)
	}
	if found["payments"].State != "draining" || found["shipping"].State != "away" {
		t.Errorf("%+v", found)
	}
	rows := map[string]orders.Bar{}
	for _, row := range orders.Bars(map[string]int{"delivered": 4, "paid": 1}, health.UnderWay([]health.Health{found["orders"]})) {
		rows[row.Status] = row
	}
	if r := rows["paid"]; *r.Now != 3 || *r.Lately != 1 || r.Percent != 25 {
		t.Errorf("%+v", r)
	}
	if r := rows["delivered"]; !r.Final || r.Percent != 100 {
		t.Errorf("%+v", r)
	}
	if r := rows["gift_wrapping"]; r.Now == nil || *r.Now != 2 {
		t.Errorf("a status of a newer release: %+v", r)
	}
	for _, half := range [][]orders.Bar{orders.Bars(nil, map[string]int{"paid": 3, "new": 1}), orders.Bars(map[string]int{"paid": 3, "new": 1}, nil)} {
		if last := half[len(half)-1]; len(half) != len(orders.Statuses)+1 || last.Status != "new" || (last.Lately == nil) == (last.Now == nil) {
			t.Errorf("where only one of the two is known: %+v", last)
		}
	}
	f.As("olga").Loads(200, "/operations", "How many came lately is", "gift wrapping")
	f.App.Feed.Joined(true)
	f.As("olga").Loads(200, "/operations", "draining", "away", "1m2s", "orders at http://a", `width="0%"`, "gift wrapping")
}
