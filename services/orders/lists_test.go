package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"example.com/orderflow/pkg/messages"
)

// copies inserts n more orders like the given one, with 100 lines each, that have needed attention since the same time.
func (f *fixture) copies(id string, n int) {
	f.Helper()
	var lines []line
	for i := range linesMost {
		lines = append(lines, line{fmt.Sprintf("SKU-%060d", i), strings.Repeat("<", 120), 9999, messages.Money{Amount: 1299, Currency: "EUR"}})
	}
	text, err := json.Marshal(lines)
	if err != nil {
		f.Fatal(err)
	}
	_, err = f.db.Exec(f.Context(), `
		INSERT INTO orders (`+orderTable.Columns+`)
		SELECT (left(id::text, 24) || lpad(n::text, 12, '0'))::uuid, customer_id, status, reason, $2, total_amount, total_currency, shipping_address, payment_method,
			allow_backorder, payment, shipment, step, seq, due_at, passed, created_at, trace_parent, created_at, updated_at
		FROM orders, generate_series(1, $3::int) AS n
		WHERE id = $1`, id, text, n)
	if err != nil {
		f.Fatal(err)
	}
}

// pages reads a list to its end. It returns the value of field for each order, and the number of pages.
func (f *fixture) pages(path, field, who string) (ids []string, pages int) {
	f.Helper()
	for cursor := ""; ; {
		var page struct {
			Items []map[string]any `json:"items"`
			Next  string           `json:"next_cursor"`
		}
		a := f.call(http.MethodGet, path+"&cursor="+cursor, "", f.as(who))
		if a.into(f.T, &page); a.status != http.StatusOK || len(a.body) > 400<<10 || len(page.Items) == 0 {
			f.Fatalf("%d, %d bytes, %d items", a.status, len(a.body), len(page.Items))
		}
		for _, o := range page.Items {
			ids = append(ids, o[field].(string))
		}
		if pages++; page.Next == "" {
			return ids, pages
		}
		cursor = page.Next
	}
}

func TestAListOfLargeOrdersFitsIntoItsReader(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.stock("MUG-BLUE")
	f.copies(f.place(), 30)
	ids, pages := f.pages("/api/orders?limit=100", "id", "alice")
	if descending := slices.IsSortedFunc(ids, func(a, b string) int { return strings.Compare(b, a) }); len(slices.Compact(ids)) != 31 || !descending || pages < 5 {
		t.Errorf("%d orders on %d pages, sorted: %t", len(ids), pages, descending)
	}
}

func TestTheAttentionListGoesOnBehindItsFirstPage(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.stock("MUG-BLUE")
	f.copies(f.place(), 450) // more than fit on a page, and all since the same moment
	for limit, want := range map[string]int{"": 3, "100": 5} {
		ids, pages := f.pages("/api/operations/attention?limit="+limit, "order_id", "olga")
		slices.Sort(ids)
		if len(slices.Compact(ids)) != 450 || pages != want {
			t.Errorf("%q: %d orders on %d pages, want 450 on %d", limit, len(ids), pages, want)
		}
	}
	for _, query := range []string{"limit=201", "limit=0", "cursor=nonsense", "cursor=MQ", "status=paid", "limit=1&limit=2"} {
		if a := f.call(http.MethodGet, "/api/operations/attention?"+query, "", f.as("olga")); a.status != http.StatusBadRequest {
			t.Errorf("%s: %d", query, a.status)
		}
	}
}
