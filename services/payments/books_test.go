package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"example.com/orderflow/pkg/identity"
)

func TestTheBooksCountPaymentsAndThoseThatAPersonHasSettled(t *testing.T) {
	t.Parallel()
	f := newFixture(t, newLedger())
	order := f.ordered("tok_visa")
	f.ordered("tok_declined")
	f.work()
	look := func() string {
		t.Helper()
		status, _, body := f.get(http.MethodGet, "/api/operations/books?since="+"00000000-0000-0000-0000-000000000000", identity.ScopeOperations)
		if status != http.StatusOK {
			t.Fatalf("%d %s", status, body)
		}
		return string(body)
	}
	row := func(status string, count, amount int) string {
		return fmt.Sprintf(`{"status":%q,"currency":"EUR","count":%d,"amount":%d}`, status, count, amount)
	}
	if got := look(); !strings.Contains(got, row("taken", 1, 2598)) || !strings.Contains(got, row("declined", 1, 2598)) {
		t.Error(got)
	}
	if _, err := f.db.Exec(t.Context(), `UPDATE payments SET status = 'refunded', settled_by = 'olga', settled_at = now() WHERE order_id = $1`, order); err != nil {
		t.Fatal(err)
	}
	if got := look(); !strings.Contains(got, row("settled_by_hand", 1, 2598)) {
		t.Error(got)
	}
}
