package main

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"example.com/orderflow/pkg/messages"
)

func TestAnOrderIsCancelledAsItsCustomerSawIt(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.stock("MUG-BLUE")
	path := "/api/orders/" + f.place()
	tag := f.call(http.MethodGet, path, "", f.as("alice")).header.Get("ETag")
	if a := f.call(http.MethodPost, path+"/cancellation", "", f.as("alice"), header("If-Match", `"another"`)); a.status != http.StatusPreconditionFailed {
		t.Errorf("as it was not: %d %s", a.status, a.body)
	}
	if a := f.call(http.MethodPost, path+"/cancellation", "", f.as("alice"), header("If-Match", tag)); a.status != http.StatusAccepted {
		t.Errorf("as it was: %d %s", a.status, a.body)
	}
}

// Whatever keeps an order waiting, the person who looks at it is told what they can do, and where.
func TestAPersonIsToldWhatToDo(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.stock("MUG-BLUE")
	toldTo := map[string]string{}
	for _, way := range []struct{ todo, link string }{
		{"settle_payment", "/api/payments/%s/settlement"},
		{"settle_shipment", "/api/shipments/%s/settlement"},
		{"replay_dead_letters", "/api/operations/dead-letters"},
	} {
		id := f.place()
		toldTo[id] = way.todo + " " + strings.ReplaceAll(way.link, "%s", id)
		if way.todo != "replay_dead_letters" {
			f.receive(messages.StockReserved{OrderID: id})
		}
		if way.todo == "settle_shipment" {
			f.receive(messages.PaymentTaken{OrderID: id})
		}
		f.call(http.MethodPost, "/api/orders/"+id+"/cancellation", "", f.as("alice"))
		for range 3 {
			f.overdue(id)
		}
	}
	var list struct {
		Items []struct {
			OrderID string `json:"order_id"`
			Todo    string
			Advice  string
			Links   map[string]string
		}
	}
	f.call(http.MethodGet, "/api/operations/attention", "", f.as("olga")).into(t, &list)
	for _, i := range list.Items {
		link := i.Links["settlement"]
		if i.Todo == "replay_dead_letters" {
			link = i.Links["dead_letters"]
		}
		if toldTo[i.OrderID] != i.Todo+" "+link || i.Advice == "" {
			t.Errorf("%+v, want %s", i, toldTo[i.OrderID])
		}
		delete(toldTo, i.OrderID)
	}
	if len(toldTo) > 0 {
		t.Errorf("not told: %v", toldTo)
	}
}

// Operators see who has cancelled an order, and why. The customer only sees that the shop did it.
func TestAnOperatorsCancellationIsTheirs(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.stock("MUG-BLUE")
	for _, c := range []struct {
		who, body string
		status    int
		reason    reason
		what      string
		by        hand
	}{
		{"alice", "", 202, customerRequest, "cancellation requested", hand{}},
		{"alice", `{"reason":"too dear"}`, 202, customerRequest, "cancellation requested", hand{Why: "too dear"}},
		{"olga", "", 202, operatorRequest, "cancellation requested by the shop", hand{Operator: "olga"}},
		{"olga", `{"reason":"the shelf is broken"}`, 202, operatorRequest, "cancellation requested by the shop", hand{"olga", "the shelf is broken"}},
		{"olga", `{"reason":" the\u200b shelf \u00a0"}`, 202, operatorRequest, "cancellation requested by the shop", hand{"olga", "the shelf"}},
		{"olga", `{"reason":"` + strings.Repeat("x", 501) + `"}`, 422, "", "order placed", hand{}},
		{"olga", `{"because":"of that"}`, 422, "", "order placed", hand{}},
		{"olga", `{`, 400, "", "order placed", hand{}},
	} {
		id := f.place()
		for range 2 { // asking twice changes nothing
			if a := f.call(http.MethodPost, "/api/orders/"+id+"/cancellation", c.body, f.as(c.who)); a.status != c.status {
				t.Errorf("%s %s: %d %s", c.who, c.body, a.status, a.body)
			}
		}
		for who, by := range map[string]hand{"alice": {}, "olga": c.by} {
			var seen tracking
			f.call(http.MethodGet, "/api/orders/"+id+"/tracking", "", f.as(who)).into(t, &seen)
			last := seen.Timeline[len(seen.Timeline)-1]
			if seen.Reason != c.reason || last.What != c.what || last.hand != by || len(seen.Timeline) > 2 {
				t.Errorf("%s %s: %s sees %s and %+v", c.who, c.body, who, seen.Reason, seen.Timeline)
			}
		}
	}
}

func TestASettlementByAnOperatorIsInTheTimeline(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.stock("MUG-BLUE")
	id := f.place()
	f.receive(messages.StockReserved{OrderID: id}, messages.PaymentTaken{OrderID: id}, messages.ShipmentFailed{ShipmentChange: messages.ShipmentChange{OrderID: id}})
	f.receive(messages.PaymentRefunded{OrderID: id, Settled: &messages.Settlement{Operator: "olga", Reason: "repaid by bank transfer"}})
	var seen tracking
	f.call(http.MethodGet, "/api/orders/"+id+"/tracking", "", f.as("olga")).into(t, &seen)
	last := seen.Timeline[len(seen.Timeline)-1]
	if last.Status != releasing || last.What != "settled by the shop: payment undone, giving the stock back" || last.hand != (hand{"olga", "repaid by bank transfer"}) {
		t.Errorf("%+v", last)
	}
}

func TestCancelling(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.stock("MUG-BLUE")
	early, late := f.place(), f.place()
	for range 2 { // asking twice changes nothing
		if a := f.call(http.MethodPost, "/api/orders/"+early+"/cancellation", "", f.as("alice")); a.status != http.StatusAccepted {
			t.Fatalf("cancel: %d %s", a.status, a.body)
		}
	}
	if got, want := f.sent(early), "reserve_stock release_stock"; got != want || f.status(early) != releasing {
		t.Errorf("%s, sent %s, want %s", f.status(early), got, want)
	}
	f.receive(messages.StockReserved{OrderID: late}, messages.PaymentTaken{OrderID: late}, messages.ShipmentDispatched{ShipmentChange: messages.ShipmentChange{OrderID: late}})
	if a := f.call(http.MethodPost, "/api/orders/"+late+"/cancellation", "", f.as("alice")); a.status != http.StatusConflict {
		t.Errorf("cancel after dispatch: %d %s", a.status, a.body)
	}
}

// An HTTP client that does not know the length of a body sends it in chunks, even if it is empty.
func TestACancellationNeedsNoBodyHoweverItIsSent(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.stock("MUG-BLUE")
	chunked := func(r *http.Request) { r.Body, r.ContentLength = io.NopCloser(strings.NewReader("")), -1 }
	if a := f.call(http.MethodPost, "/api/orders/"+f.place()+"/cancellation", "", f.as("alice"), chunked); a.status != http.StatusAccepted {
		t.Errorf("%d %s", a.status, a.body)
	}
}
