package main

import (
	"net/http"
	"testing"
	"time"
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
	now := f.shop.started
	f.shop.now = func() time.Time { return now }
	later := func(d time.Duration) { now = now.Add(d) }
	expect("with nothing to order", http.StatusServiceUnavailable)
	later(5 * time.Second)
	f.stock("PEN")
	expect("when the first product has come", http.StatusServiceUnavailable)
	later(stockedAfter - time.Millisecond)
	f.stock("INK")
	expect("when another one has come", http.StatusServiceUnavailable)
	later(stockedAfter)
	expect("when no more have come", http.StatusOK)
}

func TestOrdersDoesNotWaitForACatalogueThatDoesNotCome(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	now := f.shop.started
	f.shop.now = func() time.Time { return now }
	if f.shop.ready(t.Context()) == nil {
		t.Error("it does not wait at all")
	}
	now = now.Add(stockedWithin + time.Millisecond)
	if err := f.shop.ready(t.Context()); err != nil {
		t.Errorf("with nothing to order for a while: %v", err)
	}
}

func TestAtALaterStartTheCatalogueIsHere(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.stock("PEN")
	if err := f.shop.ready(t.Context()); err != nil {
		t.Error(err)
	}
}
