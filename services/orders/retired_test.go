package main

import (
	"net/http"
	"strings"
	"testing"

	"example.com/orderflow/pkg/messages"
)

func TestARetiredProductIsNotSoldUntilItIsBroughtBack(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	change := func(version int64, retired bool) {
		f.receive(messages.ProductChanged{SKU: "MUG-BLUE", Version: version, Name: "Mug", Price: messages.Money{Amount: 1299, Currency: "EUR"}, Retired: retired})
	}
	order := func(key string) answer {
		return f.call(http.MethodPost, "/api/orders", goodOrder, f.as("alice"), header("Idempotency-Key", key))
	}
	change(1, false)
	if a := order("before"); a.status != http.StatusAccepted {
		t.Fatalf("before: %d %s", a.status, a.body)
	}
	change(3, true)
	change(2, false) // late
	a := order("retired")
	if a.status != http.StatusUnprocessableEntity || !strings.Contains(string(a.body), `{"field":"lines[0].sku","message":"is not sold any more"}`) {
		t.Errorf("retired: %d %s", a.status, a.body)
	}
	if a := order("before"); a.status != http.StatusAccepted {
		t.Errorf("the same order again: %d %s", a.status, a.body)
	}
	change(4, false)
	if a := order("retired"); a.status != http.StatusAccepted {
		t.Errorf("brought back: %d %s", a.status, a.body)
	}
}
