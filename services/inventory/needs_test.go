package main

import (
	"testing"
	"time"

	"example.com/orderflow/pkg/messages"
	"example.com/orderflow/pkg/testkit/contract"
)

func TestInventoryNeedsWhatItsContractSays(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.warehouse.now = func() time.Time { return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC) }
	contract.Service(t, name, f.db, f.inbox, func(kind string) contract.Subject {
		about := contract.NewSubject()
		if err := f.warehouse.stockUp(t.Context(), []product{seed(about.SKU, about.SKU, 100, 1, 0, 10, "for a test")}); err != nil {
			t.Fatal(err)
		}
		if kind != (messages.ReserveStock{}).Kind() {
			f.receive(reserve(about.Order, about.SKU, 1))
		}
		return about
	}, "seq", "place")
}
