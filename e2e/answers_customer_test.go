package e2e

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/uuid"

	"example.com/orderflow/e2e/stories"
)

// catalogue adds, changes and reads products.
func (a answers) catalogue() {
	a.Helper()
	sku := "T-" + strings.ToUpper(uuid.NewString()[:8])
	path := "/api/products/" + sku
	edit := func(status int, more string, headers ...string) {
		a.Helper()
		body := `{"name":"Test product","description":"For a test.","price":{"amount":1000,"currency":"EUR"},"reorder_point":2,"reorder_quantity":5` + more + `}`
		a.Must(status, "olga", http.MethodPut, path, body, headers...)
	}
	edit(http.StatusCreated, "", "If-None-Match", "*")
	edit(http.StatusPreconditionFailed, "", "If-None-Match", "*")
	tag := a.get("olga", path, nil).Header.Get("ETag")
	add := []string{"If-Match", tag, "Idempotency-Key", uuid.NewString()}
	a.post(http.StatusOK, "olga", path+"/stock", `{"add":5}`, add...)
	if again := a.post(http.StatusOK, "olga", path+"/stock", `{"add":5}`, add...); again.Header.Get("Idempotency-Replayed") != "true" {
		a.Errorf("units that were added already: %v", again.Header)
	}
	edit(http.StatusOK, `,"retired":true`, "If-Match", tag)
	a.get("", "/api/products?sku=MUG-BLUE&sku="+sku, nil)
	a.get("olga", "/api/stock?q="+sku, nil)
	edit(http.StatusOK, `,"retired":false`)

	for _, list := range []struct{ who, path string }{{"", "/api/products"}, {"olga", "/api/stock"}} {
		var page struct {
			Next string `json:"next_cursor"`
		}
		a.get(list.who, list.path+"?limit=1&sort=-price&q=mug", &page)
		a.get(list.who, list.path+"?limit=1&sort=-price&q=mug&cursor="+page.Next, nil)
	}
	if zipped := a.get("", "/api/products", nil, "Accept-Encoding", "gzip"); zipped.Header.Get("Content-Encoding") != "gzip" {
		a.Errorf("a long list: %v", zipped.Header)
	}
	for _, path := range []string{"/api/products", "/api/products/MUG-BLUE", "/api/products/MUG-BLUE/image"} {
		tag := a.get("", path, nil).Header.Get("ETag")
		again, err := a.Call("", http.MethodGet, path, "", "If-None-Match", tag)
		if err != nil || again.Status != http.StatusNotModified && again.Status != http.StatusOK { // 200: somebody has just ordered it
			a.Errorf("%s again: %d, %v", path, again.Status, err)
		}
	}
	a.get("", "/api/products/"+sku+"/image", nil)
	a.Must(http.StatusNotModified, "", http.MethodGet, "/api/products/"+sku+"/image", "", "If-None-Match", "*")
}

// customer places orders, and follows one to its end.
func (a answers) customer() {
	a.Helper()
	sku := a.Product(20, 0, 0)
	body, key := stories.Wish{SKU: sku, Backorder: true}.JSON(), uuid.NewString()
	var order struct{ ID string }
	a.post(http.StatusAccepted, "alice", "/api/orders", body, "Idempotency-Key", key, "Expected-Total", "1000 EUR").Into(a, &order)
	if again := a.post(http.StatusAccepted, "alice", "/api/orders", body, "Idempotency-Key", key); again.Header.Get("Idempotency-Replayed") != "true" {
		a.Errorf("an order that was placed already: %v", again.Header)
	}
	a.post(http.StatusUnprocessableEntity, "alice", "/api/orders", stories.Wish{SKU: sku, Quantity: 2}.JSON(), "Idempotency-Key", key)
	a.post(http.StatusConflict, "alice", "/api/orders", body, "Idempotency-Key", uuid.NewString(), "Expected-Total", "999 EUR")

	path := "/api/orders/" + order.ID
	last := ""
	for e, err := range a.As("alice").Events(a.Context(), order.ID, "99") { // of another order, so all is sent again
		if err != nil {
			a.Fatal(err)
		}
		if e.ID != "" {
			last = e.ID
		}
	}
	a.Must(http.StatusNoContent, "alice", http.MethodGet, path+"/tracking", "", "Accept", "text/event-stream", "Last-Event-ID", last)
	for _, path := range []string{path, path + "/tracking"} {
		tag := a.get("alice", path, nil).Header.Get("ETag")
		a.Must(http.StatusNotModified, "alice", http.MethodGet, path, "", "If-None-Match", tag)
	}
	a.post(http.StatusConflict, "alice", path+"/cancellation", "")
	a.post(http.StatusConflict, "olga", "/api/operations/orders/"+order.ID+"/retry", "")
	a.post(http.StatusNoContent, "olga", "/api/operations/orders/"+order.ID+"/note", `{"text":"the customer has called"}`)
	a.post(http.StatusConflict, "olga", "/api/payments/"+order.ID+"/settlement", `{"reason":"nothing to settle"}`)

	declined := a.Place(stories.Wish{SKU: sku, Card: "tok_declined"})
	rejected := a.Place(stories.Wish{SKU: sku, Quantity: 10_000})
	backordered := a.Place(stories.Wish{SKU: a.Product(1, 5, 10), Quantity: 3, Backorder: true})
	a.Reach(backordered, "backordered")
	a.get("olga", "/api/operations/books", nil)
	a.post(http.StatusAccepted, "olga", "/api/orders/"+backordered+"/cancellation", `{"reason":"it takes too long"}`, "If-Match", a.get("alice", "/api/orders/"+backordered, nil).Header.Get("ETag"))
	for _, id := range []string{declined, rejected, backordered} {
		a.End(id)
		a.get("olga", "/api/orders/"+id+"/tracking", nil)
	}
	a.get("olga", "/api/payments/"+declined, nil)
	a.returned(sku)

	var page struct {
		Items []struct{ ID string }
		Next  string `json:"next_cursor"`
	}
	a.get("alice", "/api/orders?limit=1", &page)
	a.get("alice", "/api/orders?limit=1&cursor="+page.Next, nil)
	from := url.QueryEscape("2026-01-31T12:00:00Z")
	a.get("olga", "/api/operations/orders?limit=1&status=delivered&customer_id=alice&sku="+sku+"&from="+from+"&to=&id="+order.ID[28:], &page)
	a.get("olga", "/api/operations/orders?limit=1&to="+url.QueryEscape("2100-01-31T12:00:00Z"), &page)
	a.get("olga", "/api/operations/orders?limit=1&cursor="+page.Next, nil)
}

// returned lets somebody give the money back at the provider, before payments has learned that it was taken.
func (a answers) returned(sku string) {
	a.Helper()
	id := a.Place(stories.Wish{SKU: sku, Card: "tok_timeout"})
	stories.Until(a, "the provider has the money", func() bool {
		found, err := stories.Send(a.Context(), http.MethodGet, a.Simulator+"/provider/charges?key="+id, "")
		return err == nil && strings.Contains(string(found.Body), id)
	})
	refund := fmt.Sprintf(`{"charge_key":%q,"amount":1000,"currency":"EUR"}`, id)
	if done, err := stories.Send(a.Context(), http.MethodPost, a.Simulator+"/provider/refunds", refund, "Idempotency-Key", "returned-"+id); err != nil || done.Status >= 300 {
		a.Fatalf("%d %s %v", done.Status, done.Body, err)
	}
	if end := a.End(id); end.Reason != "payment_returned" {
		a.Errorf("the money was given back, and the order ended %s: %s", end.Status, end.Reason)
	}
}

// parcel waits until an order has a parcel, and returns its number.
func (a answers) parcel(id string) (number string) {
	a.Helper()
	a.until("olga", "/api/shipments/"+id, "status", "arranged")
	var shipment struct {
		Number string `json:"tracking_number"`
	}
	a.get("olga", "/api/shipments/"+id, &shipment)
	return shipment.Number
}

// courier moves parcels by hand. One goes by itself, slowly enough to be seen on its way.
func (a answers) courier() {
	a.Helper()
	hold := func(holding bool) {
		a.Must(http.StatusOK, "carl", http.MethodPut, "/api/parcels/hands", fmt.Sprintf(`{"holding":%t}`, holding))
	}
	note := func(status int, number, stage string) {
		a.Helper()
		a.post(status, "carl", "/api/parcels/"+number+"/stages", `{"stage":"`+stage+`"}`)
	}
	sku := a.Product(10, 0, 0)
	a.Must(http.StatusOK, "olga", http.MethodPut, "/api/laboratory/pace", `{"pace":"3s"}`)
	slow := a.Place(stories.Wish{SKU: sku})
	a.until("olga", "/api/shipments/"+slow, "status", "in_transit")
	a.get("alice", "/api/orders/"+slow+"/tracking", nil)
	a.get("carl", "/api/parcels", nil)
	a.Must(http.StatusOK, "olga", http.MethodPut, "/api/laboratory/pace", `{"pace":"400ms"}`)

	hold(true)
	delivered, lost, stopped := a.Place(stories.Wish{SKU: sku}), a.Place(stories.Wish{SKU: sku}), a.Place(stories.Wish{SKU: sku})
	one, other := a.parcel(delivered), a.parcel(lost)
	a.parcel(stopped)
	var page struct {
		Next string `json:"next_cursor"`
	}
	a.get("carl", "/api/parcels?limit=1", &page)
	a.get("carl", "/api/parcels?limit=1&cursor="+page.Next, nil)
	a.get("olga", "/api/operations/orders?tracking_number="+one, nil)
	note(http.StatusOK, one, "dispatched")
	a.until("olga", "/api/shipments/"+delivered, "status", "dispatched")
	note(http.StatusOK, one, "delivered")
	note(http.StatusConflict, one, "failed")
	note(http.StatusOK, other, "failed")
	a.post(http.StatusAccepted, "alice", "/api/orders/"+stopped+"/cancellation", "")
	a.until("olga", "/api/shipments/"+stopped, "status", "cancelled")

	byCarrier := a.Place(stories.Wish{SKU: sku})
	if done, err := stories.Send(a.Context(), http.MethodPost, a.Simulator+"/carrier/shipments/"+a.parcel(byCarrier)+"/cancellation", ""); err != nil || done.Status >= 300 {
		a.Fatalf("%d %s %v", done.Status, done.Body, err)
	}
	for id, reason := range map[string]any{lost: "undeliverable", byCarrier: "cancelled_by_carrier"} {
		a.until("olga", "/api/shipments/"+id, "reason", reason)
		a.End(id)
	}
	a.until("olga", "/api/payments/"+lost, "status", "refunded")
	hold(false)
	for _, id := range []string{slow, delivered, stopped} {
		a.End(id)
	}
	a.until("olga", "/api/shipments/"+delivered, "status", "delivered")
	a.post(http.StatusConflict, "olga", "/api/shipments/"+delivered+"/settlement", `{"outcome":"failed","reason":"it has arrived"}`)
}
