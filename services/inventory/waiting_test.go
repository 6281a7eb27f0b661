package main

import (
	"net/http"
	"strings"
	"testing"
)

func TestAProductThatIsNeverReorderedIsNotWaitedForAndNotKept(t *testing.T) {
	t.Parallel()
	f := newFixture(t, goods("PRINT", 5), lamp(4))
	bob, alice := newOrder(), newOrder()
	f.receive(backorder(bob, "PRINT", 10), reserve(alice, "PRINT", 2))
	if f.status(bob) != rejected || f.status(alice) != reserved || f.sent(bob) != `stock_rejected[{"sku":"PRINT","quantity":5}]` {
		t.Errorf("bob %s, alice %s, sent %s", f.status(bob), f.status(alice), f.sent(bob))
	}
	f.want("PRINT", 3, 2, 0, 0)
	var left productBody
	if f.call(http.MethodGet, "/api/products/PRINT", "").into(t, &left); left.Available != 3 || left.Backorderable {
		t.Errorf("more than is left of it would be waited for: %+v", left)
	}
	f.receive(reserve(newOrder(), "PRINT", 3), reserve(newOrder(), "LAMP", 4))
	for sku, want := range map[string]bool{"PRINT": false, "LAMP": true} {
		var p productBody
		if f.call(http.MethodGet, "/api/products/"+sku, "").into(t, &p); p.Available != 0 || p.Backorderable != want {
			t.Errorf("%+v", p)
		}
	}
}

func TestUnitsOnTheShelfCanBeOrderedWhileAnotherOrderWaitsForMore(t *testing.T) {
	t.Parallel()
	f := newFixture(t, lamp(5))
	bob, alice, carol := newOrder(), newOrder(), newOrder()
	f.receive(backorder(bob, "LAMP", 10), reserve(alice, "LAMP", 2))
	f.want("LAMP", 3, 2, 10, 20) // two tens are ordered, since 3 + 10 - 10 is not above the reorder point: all that Bob waits for is on order
	if f.status(bob) != backordered || f.status(alice) != reserved {
		t.Errorf("bob %s, alice %s", f.status(bob), f.status(alice))
	}
	// With 6 more there are 9 units. They are too few for Bob, but are kept for Bob's order.
	if a := f.call(http.MethodPost, "/api/products/LAMP/stock", `{"add":6}`, f.as("olga")); a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	f.receive(reserve(carol, "LAMP", 4))
	var s stockBody
	a := f.call(http.MethodPost, "/api/products/LAMP/stock", `{"add":1}`, f.as("olga"))
	if a.into(t, &s); f.status(carol) != rejected || f.status(bob) != reserved || s.Available != 0 || s.Reserved != 12 || s.Kept != 0 {
		t.Errorf("bob %s, carol %s, %+v", f.status(bob), f.status(carol), s)
	}
}

func TestWhenAProductIsNoLongerReorderedOrdersThatWaitInVainAreRejected(t *testing.T) {
	t.Parallel()
	f := newFixture(t, goods("CUP", 2), goods("PEN", 1), lamp(4))
	f.coming("CUP", 8)
	f.coming("PEN", 5)
	first, second, third, behind := newOrder(), newOrder(), newOrder(), newOrder()
	f.receive(backorder(first, "CUP", 3), backorder(second, "CUP", 4, "PEN", 1), backorder(third, "CUP", 3), backorder(behind, "PEN", 1))
	// Data of the previous release: the units on order were never enough for the orders that wait.
	if _, err := f.db.Exec(t.Context(), `UPDATE products SET on_order = 4 WHERE sku = 'CUP'`); err != nil {
		t.Fatal(err)
	}
	if _, err := f.db.Exec(t.Context(), `UPDATE supplier_orders SET quantity = 4 WHERE sku = 'CUP'`); err != nil {
		t.Fatal(err)
	}
	a := f.call(http.MethodPut, "/api/products/CUP", strings.Replace(goodProduct, `"reorder_quantity":10`, `"reorder_quantity":0`, 1), f.as("olga"))
	if a.status != http.StatusOK {
		t.Fatalf("%d %s", a.status, a.body)
	}
	for order, want := range map[string]status{first: backordered, second: rejected, third: backordered, behind: reserved} {
		if got := f.status(order); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	f.want("CUP", 2, 0, 6, 4)
	f.want("PEN", 0, 1, 0, 5)
	if got := f.sent(second); !strings.HasSuffix(got, `stock_rejected[{"sku":"CUP","quantity":2}]`) {
		t.Errorf("sent %s", got)
	}
}
