package main

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"example.com/orderflow/pkg/messages"
)

func TestAnOperatorMakesAnOrderAskAgain(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.stock("MUG-BLUE")
	id := f.place()
	path := "/api/operations/orders/" + id + "/retry"
	ask := func(who string, want int) {
		t.Helper()
		if a := f.call(http.MethodPost, path, "", f.as(who)); a.status != want {
			t.Errorf("%d %s, want %d", a.status, a.body, want)
		}
	}
	earlier := func(d time.Duration) {
		t.Helper()
		if _, err := f.db.Exec(t.Context(), `UPDATE orders SET due_at = due_at - $2::interval WHERE id = $1`, id, d); err != nil {
			t.Fatal(err)
		}
	}
	ask("alice", http.StatusForbidden)
	ask("olga", http.StatusAccepted) // it has just asked
	if got := f.sent(id); got != "reserve_stock" {
		t.Errorf("sent %s", got)
	}
	for range 10 { // more often than timeouts may pass
		earlier(askPause)
		ask("olga", http.StatusAccepted)
		ask("olga", http.StatusAccepted)
	}
	o, err := readOrder(t.Context(), f.db, id)
	if err != nil {
		t.Fatal(err)
	}
	if got := f.sent(id); got != strings.TrimSpace(strings.Repeat("reserve_stock ", 11)) || o.Status != placed || o.Passed != 0 || time.Until(*o.DueAt) < testTimeouts.Step/2 {
		t.Errorf("sent %s; %s, %d timeouts, due at %s", got, o.Status, o.Passed, o.DueAt)
	}
	f.call(http.MethodPost, "/api/orders/"+id+"/cancellation", "", f.as("alice"))
	f.receive(messages.StockReleased{OrderID: id})
	ask("olga", http.StatusConflict)
	path = strings.Replace(path, id[:8], "00000000", 1)
	ask("olga", http.StatusNotFound)
}

func TestOperatorsSeeInTheLogWhoDidWhat(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.stock("MUG-BLUE")
	id := f.place()
	path := "/api/operations/orders/" + id + "/note"
	tag := f.call(http.MethodGet, "/api/orders/"+id+"/tracking", "", f.as("olga")).header.Get("ETag")
	if a := f.call(http.MethodPost, path, `{"text":" The customer called. "}`, f.as("olga")); a.status != http.StatusNoContent {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if a := f.call(http.MethodGet, "/api/orders/"+id+"/tracking", "", f.as("olga"), header("If-None-Match", tag)); a.status != http.StatusOK {
		t.Errorf("the note is not seen: %d", a.status)
	}
	for body, want := range map[string]int{`{"text":" "}`: 422, `{"note":"a"}`: 422, `{`: 400} {
		if a := f.call(http.MethodPost, path, body, f.as("olga")); a.status != want {
			t.Errorf("%s: %d %s, want %d", body, a.status, a.body, want)
		}
	}
	if a := f.call(http.MethodPost, path, `{"text":"Mine."}`, f.as("alice")); a.status != http.StatusForbidden {
		t.Errorf("a customer: %d", a.status)
	}
	f.call(http.MethodPost, "/api/orders/"+id+"/cancellation", `{"reason":"as she asked"}`, f.as("olga"))
	f.receive(messages.StockReleased{OrderID: id})
	f.call(http.MethodPost, path, `{"text":"Told her."}`, f.as("olga")) // the order has ended
	var tr tracking
	a := f.call(http.MethodGet, "/api/orders/"+id+"/tracking", "", f.as("olga"))
	a.into(t, &tr)
	var log []string
	for _, d := range tr.Log {
		log = append(log, d.Operator+" "+d.What+": "+d.Why)
	}
	want := "olga note: The customer called., olga cancellation requested by the shop: as she asked, olga note: Told her."
	if got := strings.Join(log, ", "); got != want {
		t.Errorf("%s\nwant %s", got, want)
	}
	if a := f.call(http.MethodGet, "/api/orders/"+id+"/tracking", "", f.as("alice")); strings.Contains(string(a.body), "olga") || strings.Contains(string(a.body), "called") {
		t.Errorf("the customer sees %s", a.body)
	}
}
