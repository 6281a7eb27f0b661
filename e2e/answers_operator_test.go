package e2e

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/google/uuid"

	"example.com/orderflow/e2e/stories"
)

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
