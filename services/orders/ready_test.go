package main

import (
	"net/http"
	"testing"
)

func TestAtTheVeryFirstStartOrdersWaitsForTheCatalogueAndNotForEver(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	expect := func(when string, status int) {
		t.Helper()
		if a := f.call(http.MethodGet, "/readyz", ""); a.status != status {
			t.Errorf("%s: %d, not %d", when, a.status, status)
		}
	}
	expect("with nothing to order", http.StatusServiceUnavailable)
	f.shop.started = f.shop.started.Add(-stockedWithin)
	expect("with nothing to order for a while", http.StatusOK)
	f.shop.started = f.shop.started.Add(stockedWithin)
	f.stock("PEN")
	expect("with something to order", http.StatusOK)
}
