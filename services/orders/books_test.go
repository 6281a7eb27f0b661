package main

import (
	"fmt"
	"net/http"
	"testing"

	"example.com/orderflow/pkg/tally"
)

func TestTheBooksCountTheOrdersSinceOneAndFindTheLost(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.stock("MUG-BLUE")
	first, second, third := f.place(), f.place(), f.place()
	f.call(http.MethodPost, "/api/orders/"+third+"/cancellation", "", f.as("alice"))
	look := func(query string) string {
		t.Helper()
		var got tally.Tally
		a := f.call(http.MethodGet, "/api/operations/books"+query, "", f.as("olga"))
		if a.into(t, &got); a.status != http.StatusOK || a.header.Get("Cache-Control") != "no-store" {
			t.Fatalf("%d %s", a.status, a.body)
		}
		counts := map[string]string{}
		for _, r := range got.Rows {
			counts[r.Status] = fmt.Sprint(r.Count, " ", r.Amount, " ", r.Currency)
		}
		return fmt.Sprint(counts, got.Lost)
	}
	if got, want := look(""), "map[placed:2 5196 EUR releasing:1 2598 EUR] []"; got != want {
		t.Errorf("all: %s, want %s", got, want)
	}
	if got, want := look("?since="+second), "map[placed:1 2598 EUR releasing:1 2598 EUR] []"; got != want {
		t.Errorf("since the second: %s, want %s", got, want)
	}
	for _, table := range []string{"timeline WHERE order_id", "orders WHERE id"} {
		if _, err := f.db.Exec(t.Context(), "DELETE FROM "+table+" = $1", first); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := look(""), "map[placed:1 2598 EUR releasing:1 2598 EUR] ["+first+"]"; got != want {
		t.Errorf("one is lost: %s, want %s", got, want)
	}
	if a := f.call(http.MethodGet, "/api/operations/books", "", f.as("alice")); a.status != http.StatusForbidden {
		t.Errorf("a shopper gets %d", a.status)
	}
	if a := f.call(http.MethodGet, "/api/operations/books?since=yesterday", "", f.as("olga")); a.status != http.StatusBadRequest {
		t.Errorf("since yesterday: %d %s", a.status, a.body)
	}
}
