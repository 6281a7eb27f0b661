package e2e

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"example.com/orderflow/e2e/contract"
	"example.com/orderflow/e2e/stories"
	"example.com/orderflow/local/laboratory"
	"example.com/orderflow/local/shop"
	"example.com/orderflow/local/system"
)

// Every operation of api/openapi.yaml gives each of its answers, at least once in the run. What other tests do not cause is caused here,
// on a system with short timeouts and a supervisor. TestMain compares all that was seen with the document.
func TestEveryOperationGivesEachOfItsAnswers(t *testing.T) {
	t.Parallel()
	desk, err := laboratory.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	env := map[string][]string{
		"bff-web": desk.Env(), "simulator": settings["simulator"],
		"orders": {"STEP_TIMEOUT=1s", "BACKORDER_TIMEOUT=1s", "LONGEST_TIMEOUT=2s", "TIMEOUT_TRIES=15"},
	}
	s := start(t, system.Each(1), env)
	t.Cleanup(desk.Close) // before the system stops
	desk.Serve(s)
	a := answers{stories.New(t, world(s)), s}

	// The supplier is down until the end, so that this order waits for too long.
	a.faults(`{"supplier":{"down":true}}`)
	expired := a.Place(stories.Wish{SKU: a.Product(1, 5, 10), Quantity: 3, Backorder: true})

	a.tokens()
	a.catalogue()
	a.customer()
	a.courier()
	a.stuck()
	a.deadLetters()
	a.laboratory()
	a.refusals(a.Place(stories.Wish{SKU: a.Product(1, 0, 0)}))
	a.follow(expired, "has taken too long", func(t shop.Tracking) bool { return t.Status == "cancelled" && t.Reason == "expired" })
}

// answers asks for answers. Each of its stories leaves the system as it found it.
type answers struct {
	*stories.Client
	system *system.System
}

// get reads something as somebody.
func (a answers) get(who, path string, into any, headers ...string) stories.Answer {
	a.Helper()
	answer := a.Must(http.StatusOK, who, http.MethodGet, path, "", headers...)
	if into != nil {
		answer.Into(a, into)
	}
	return answer
}

// post sends something as somebody and wants an answer with this status.
func (a answers) post(status int, who, path, body string, headers ...string) stories.Answer {
	a.Helper()
	return a.Must(status, who, http.MethodPost, path, body, headers...)
}

// follow waits until a condition holds for an order.
func (a answers) follow(id, what string, holds func(shop.Tracking) bool) {
	a.Helper()
	stories.Until(a, "order "+id+" "+what, func() bool {
		t, found := a.Look(id)
		return found && holds(t)
	})
}

// until waits until a field of an answer has a value.
func (a answers) until(who, path, field string, want any) {
	a.Helper()
	got := map[string]any{}
	stories.Until(a, fmt.Sprintf("%s of %s is %v", field, path, want), func() bool {
		answer, err := a.Call(who, http.MethodGet, path, "")
		if err != nil || answer.Status != http.StatusOK {
			return false
		}
		answer.Into(a, &got)
		return got[field] == want
	})
}

func (a answers) faults(body string) {
	a.Helper()
	a.Must(http.StatusOK, "olga", http.MethodPut, "/api/laboratory/faults", body)
}

func (a answers) tokens() {
	a.Helper()
	ask := func(status int, form string, headers ...string) {
		a.Helper()
		a.post(status, "", "/oauth/token", form, append([]string{"Content-Type", "application/x-www-form-urlencoded"}, headers...)...)
	}
	alice := "client_id=alice&client_secret=" + url.QueryEscape(demoSecret)
	ask(http.StatusOK, "grant_type=client_credentials&scope=orders&"+alice)
	ask(http.StatusBadRequest, alice)
	ask(http.StatusBadRequest, "grant_type=password&"+alice)
	ask(http.StatusBadRequest, "grant_type=client_credentials&scope=operations&"+alice)
	ask(http.StatusUnauthorized, "grant_type=client_credentials&client_id=alice&client_secret=guessed")
	a.get("", "/.well-known/jwks.json", nil)
}

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

// attention waits until orders need attention, and returns what to do about each.
func (a answers) attention(ids ...string) (todo map[string]string) {
	a.Helper()
	stories.Until(a, fmt.Sprintf("the orders %v need attention", ids), func() bool {
		var page struct {
			Items []struct {
				ID   string `json:"order_id"`
				Todo string
			}
		}
		a.get("olga", "/api/operations/attention", &page)
		todo = map[string]string{}
		for _, item := range page.Items {
			todo[item.ID] = item.Todo
		}
		return !slices.ContainsFunc(ids, func(id string) bool { return todo[id] == "" })
	})
	return todo
}

// stuck lets orders wait for the provider, the carrier and inventory, and settles them by hand.
func (a answers) stuck() {
	a.Helper()
	sku := a.Product(20, 0, 0)
	a.Must(http.StatusOK, "carl", http.MethodPut, "/api/parcels/hands", `{"holding":true}`)
	parcel, arrived := a.Place(stories.Wish{SKU: sku}), a.Place(stories.Wish{SKU: sku})
	a.parcel(parcel)
	a.parcel(arrived)
	const others = `"supplier":{"down":true},"for":"5m","note":"a test"`
	a.faults(`{"carrier":{"down":true},` + others + `}`)
	unarranged := a.Place(stories.Wish{SKU: sku})
	a.until("olga", "/api/shipments/"+unarranged, "status", "requested")
	a.faults(`{"provider":{"down":true,"latency":"1ms","jitter":"1ms","error_rate":0.1,"ambiguous_rate":0.1},"carrier":{"down":true},` + others + `}`)
	a.get("olga", "/api/laboratory", nil)
	unpaid := a.Place(stories.Wish{SKU: sku})
	a.Reach(unpaid, "reserved")
	stories.Until(a, "the provider has failed", func() bool {
		var payment struct {
			LastError string `json:"last_error"`
		}
		answer, err := a.Call("olga", http.MethodGet, "/api/payments/"+unpaid, "")
		if err == nil && answer.Status == http.StatusOK {
			answer.Into(a, &payment)
		}
		return payment.LastError != ""
	})
	a.post(http.StatusAccepted, "olga", "/api/operations/orders/"+unpaid+"/retry", "")
	a.post(http.StatusAccepted, "alice", "/api/orders/"+unpaid+"/cancellation", "")
	a.post(http.StatusAccepted, "alice", "/api/orders/"+parcel+"/cancellation", "")
	todo := a.attention(unpaid, parcel)
	if todo[unpaid] != "settle_payment" || todo[parcel] != "settle_shipment" {
		a.Errorf("%v", todo)
	}
	var page struct {
		Next string `json:"next_cursor"`
	}
	a.get("olga", "/api/operations/attention?limit=1", &page)
	a.get("olga", "/api/operations/attention?limit=1&cursor="+page.Next, nil)
	a.get("olga", "/api/operations/orders?attention=true", nil)
	a.until("olga", "/api/payments/"+unpaid, "status", "withdrawing")
	a.get("olga", "/api/shipments/"+parcel, nil)

	settle := func(path, body string) { a.post(http.StatusOK, "olga", path+"/settlement", body) }
	settle("/api/payments/"+unpaid, `{"reason":"nothing was taken"}`)
	a.until("olga", "/api/payments/"+unpaid, "status", "withdrawn")
	settle("/api/shipments/"+parcel, `{"outcome":"failed","reason":"the carrier has it and says nothing"}`)
	a.until("olga", "/api/payments/"+parcel, "status", "refunding")
	stories.Until(a, "the provider has failed to refund", func() bool {
		answer, err := a.Call("olga", http.MethodPost, "/api/payments/"+parcel+"/settlement", `{"reason":"repaid by bank transfer"}`)
		return err == nil && answer.Status == http.StatusOK
	})
	settle("/api/shipments/"+arrived, `{"outcome":"delivered","reason":"the customer has it"}`)
	settle("/api/shipments/"+unarranged, `{"outcome":"failed","reason":"nobody fetches it"}`)
	a.faults(`{"supplier":{"down":true}}`)
	a.Must(http.StatusOK, "carl", http.MethodPut, "/api/parcels/hands", `{"holding":false}`)

	// Without inventory, some lists are not complete.
	a.post(http.StatusAccepted, "olga", "/api/laboratory/programs/inventory/stop", `{"after":"100ms","for":"10m"}`)
	stories.Until(a, "the stock cannot be read", func() bool {
		answer, err := a.Call("olga", http.MethodGet, "/api/stock", "")
		return err == nil && answer.Status == http.StatusServiceUnavailable
	})
	unreserved := a.Place(stories.Wish{SKU: sku})
	a.post(http.StatusAccepted, "alice", "/api/orders/"+unreserved+"/cancellation", "")
	if todo := a.attention(unreserved); todo[unreserved] != "replay_dead_letters" {
		a.Errorf("%v", todo)
	}
	a.get("olga", "/api/laboratory", nil)
	a.get("olga", "/api/operations/dead-letters", nil)
	stories.Until(a, "the books of inventory are missing", func() bool {
		return strings.Contains(string(a.get("olga", "/api/operations/books", nil).Body), `"unknown"`)
	})
	a.post(http.StatusAccepted, "olga", "/api/laboratory/programs/inventory/start", "")
	for _, id := range []string{unpaid, parcel, arrived, unarranged, unreserved} {
		a.End(id)
	}
	a.get("olga", "/api/orders/"+parcel+"/tracking", nil)
}

func (a answers) deadLetters() {
	a.Helper()
	const list = "/api/operations/dead-letters"
	a.post(http.StatusAccepted, "olga", "/api/laboratory/scenes/poison", "")
	a.post(http.StatusAccepted, "olga", "/api/laboratory/poison", "")
	traced := map[string]any{
		"type": "payments.take_payment", "message_id": uuid.NewString(),
		"headers": map[string]string{"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"},
	}
	if err := a.system.Broker.Publish(a.Context(), "orderflow.commands", "payments.take_payment", traced, "not JSON"); err != nil {
		a.Fatal(err)
	}
	type letter struct{ ID, Queue, Kind, Reason, Error, Subject string }
	var page struct {
		Items  []letter
		Next   string `json:"next_cursor"`
		Groups []struct{ Error string }
	}
	wait := func() {
		stories.Until(a, "three messages were given up", func() bool {
			a.get("olga", list+"?limit=1", &page)
			var all struct{ Total int }
			a.get("olga", list, &all)
			return all.Total == 3 && page.Next != ""
		})
	}
	wait()
	a.get("olga", list+"?limit=1&cursor="+page.Next, nil)
	found := page.Items[0]
	for name, value := range map[string]string{"queue": found.Queue, "kind": found.Kind, "reason": found.Reason, "subject": found.Subject, "error": page.Groups[0].Error} {
		var some struct{ Items []letter }
		if a.get("olga", list+"?"+url.Values{name: {value}}.Encode(), &some); len(some.Items) == 0 {
			a.Errorf("no dead letter has the %s %q", name, value)
		}
	}
	a.get("olga", list+"/"+found.ID, nil)
	a.post(http.StatusNoContent, "olga", list+"/"+found.ID+"/replay", "")
	wait()
	a.post(http.StatusOK, "olga", list+"/replay", `{"ids":["`+found.ID+`","payments.nothing"]}`)
	wait()
	a.post(http.StatusNoContent, "olga", list+"/"+found.ID+"/discard", `{"reason":"a test has put it there"}`)
	a.get("olga", list, &page)
	a.post(http.StatusOK, "olga", list+"/discard", `{"ids":["`+page.Items[0].ID+`","`+page.Items[1].ID+`"],"reason":"a test has put it there"}`)
}

func (a answers) laboratory() {
	a.Helper()
	const lab = "/api/laboratory"
	a.post(http.StatusAccepted, "olga", lab+"/mistake", `{"for":"3s"}`)
	a.post(http.StatusConflict, "olga", lab+"/mistake", "")
	a.post(http.StatusConflict, "olga", lab+"/scenes/mistake", "")
	a.post(http.StatusConflict, "olga", lab+"/programs/gateway/kill", `{"after":"1s","for":"1s"}`)
	a.Must(http.StatusOK, "olga", http.MethodPut, lab+"/customers",
		`{"rate":1,"for":"2s","orders":1,"sku":"MUG-BLUE","mix":{"declined":0.1,"flaky":0.1,"timeout":0.1,"undeliverable":0.1,"regret":0.1}}`)
	a.get("olga", lab, nil)
	a.faults(`{"supplier":{"down":true}}`)
}

// refusals asks each operation for what it refuses, whatever it does. The order belongs to alice and can be cancelled.
func (a answers) refusals(order string) {
	a.Helper()
	document, err := contract.Shared()
	if err != nil {
		a.Fatal(err)
	}
	fill := func(o contract.Operation, id, sku, letter, name string) string {
		path := strings.Replace(o.Path, "/dead-letters/{id}", "/dead-letters/"+letter, 1)
		return strings.NewReplacer("{id}", id, "{order_id}", id, "{sku}", sku, "{tracking_number}", name, "{name}", name, "{action}", "start").Replace(path)
	}
	callers := map[string]string{"orders": "alice", "operations": "olga", "parcels": "carl"}
	others := map[string]string{"orders": "carl", "operations": "alice", "parcels": "alice"}
	for _, o := range document.Operations() {
		if !strings.HasPrefix(o.Path, "/api/") {
			continue
		}
		ask := func(status int, who, path, body string, headers ...string) {
			if !slices.Contains(o.Statuses, status) {
				return
			}
			headers = append([]string{"Idempotency-Key", uuid.NewString()}, headers...)
			if answer, err := a.Call(who, o.Method, path, body, headers...); err != nil || answer.Status != status {
				a.Errorf("%s: %d %s %v, want %d", o.ID, answer.Status, answer.Body, err, status)
			}
		}
		who, here := callers[o.Scope], fill(o, order, "MUG-BLUE", "payments.1", "payments")
		ask(http.StatusBadRequest, who, here+"?unknown=1", o.Body)
		ask(http.StatusUnauthorized, "", here, o.Body, "Authorization", "Bearer guessed")
		ask(http.StatusForbidden, others[o.Scope], here, o.Body)
		ask(http.StatusPreconditionFailed, who, here, o.Body, "If-Match", `"another"`)
		ask(http.StatusUnsupportedMediaType, who, here, "text", "Content-Type", "text/plain")
		ask(http.StatusUnprocessableEntity, who, here, `{"unknown":1}`)
		if nowhere := fill(o, uuid.NewString(), "NO-SUCH", "payments."+uuid.NewString(), "NOBODY"); nowhere != here {
			ask(http.StatusNotFound, who, nowhere, o.Body)
		}
	}
	page := []string{"Accept", "text/html"}
	a.Must(http.StatusUnauthorized, "", http.MethodGet, "/api/orders", "", page...)
	a.Must(http.StatusForbidden, "alice", http.MethodGet, "/api/stock", "", page...)
	a.Must(http.StatusNotFound, "olga", http.MethodGet, "/api/operations/dead-letters/nobody.1", "", page...)
	a.Must(http.StatusRequestHeaderFieldsTooLarge, "", http.MethodGet, "/api/products", "", "X-Long", strings.Repeat("x", 40<<10))
	a.Must(http.StatusRequestEntityTooLarge, "alice", http.MethodPost, "/api/orders", strings.Repeat("x", 2<<20), page...)
	a.Must(http.StatusMethodNotAllowed, "alice", http.MethodDelete, "/api/orders", "")
	a.Must(http.StatusUnprocessableEntity, "olga", http.MethodPost, "/api/laboratory/poison", `{"for":"1s"}`)
}
