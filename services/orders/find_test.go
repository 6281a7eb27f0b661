package main

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"example.com/orderflow/pkg/messages"
	"example.com/orderflow/pkg/postgres"
)

// found returns the ids of the orders that an operator finds, and the cursor of the next page.
func (f *fixture) found(query string) (ids []string, next string) {
	f.Helper()
	var list struct {
		Items []struct{ ID string }
		Next  string `json:"next_cursor"`
	}
	a := f.call(http.MethodGet, "/api/operations/orders?"+query, "", f.as("olga"))
	if a.status != http.StatusOK {
		f.Fatalf("%s: %d %s", query, a.status, a.body)
	}
	a.into(f.T, &list)
	for _, o := range list.Items {
		ids = append(ids, o.ID)
	}
	return ids, list.Next
}

// fill inserts n more orders like the given one: each older by an hour, of a customer of its own, delivered or, each fiftieth, cancelled.
func (f *fixture) fill(like string, n int) {
	f.Helper()
	_, err := f.db.Exec(f.Context(), `
		INSERT INTO orders (`+orderTable.Columns+`)
		SELECT copied.id, 'customer-' || n, CASE n % 50 WHEN 0 THEN 'cancelled' ELSE 'delivered' END,
			reason, lines, total_amount, total_currency, shipping_address, payment_method, allow_backorder, payment, jsonb_build_object('tracking_number', 'T' || n),
			step, seq, NULL, passed, NULL, trace_parent, created_at - n * interval '1 hour', updated_at
		FROM orders, generate_series(1, $2::int + 1) AS n, LATERAL (SELECT (left(orders.id::text, 9) || lpad(to_hex(n), 4, '0') || right(orders.id::text, 23))::uuid AS id) AS copied
		WHERE orders.id = $1 AND copied.id <> orders.id
		ORDER BY n
		LIMIT $2`, like, n)
	if err != nil {
		f.Fatal(err)
	}
	_, err = f.db.Exec(f.Context(), `
		INSERT INTO timeline (order_id, seq, at, status, what)
		SELECT id, 1, created_at, 'placed', 'order placed'
		FROM orders
		WHERE id <> $1`, like)
	if err != nil {
		f.Fatal(err)
	}
	if _, err := f.db.Exec(f.Context(), `ANALYZE orders, timeline`); err != nil {
		f.Fatal(err)
	}
}

func TestAnOperatorFindsOrders(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.stock("MUG-BLUE", "PEN")
	early := f.place()
	f.receive(messages.StockReserved{OrderID: early}, messages.PaymentTaken{OrderID: early}, messages.ShipmentDispatched{ShipmentChange: messages.ShipmentChange{OrderID: early, TrackingNumber: "S 1"}})
	time.Sleep(2 * time.Millisecond)
	between := time.Now().UTC().Format(time.RFC3339Nano)
	time.Sleep(2 * time.Millisecond)
	late := f.place()
	f.call(http.MethodPost, "/api/orders/"+late+"/cancellation", "", f.as("alice"))
	for range 3 {
		f.overdue(late)
	}
	var bobs orderBody
	f.call(http.MethodPost, "/api/orders", strings.Replace(goodOrder, "MUG-BLUE", "PEN", 1), f.as("bob"), header("Idempotency-Key", "k")).into(t, &bobs)
	pen := bobs.ID
	for query, want := range map[string][]string{
		"":                                 {pen, late, early},
		"status=&customer=&id=":            {pen, late, early},
		"status=shipped":                   {early},
		"status=releasing":                 {late},
		"status=delivered":                 nil,
		"customer=alice":                   {late, early},
		"customer=bob":                     {pen},
		"customer=bo":                      nil,
		"id=" + late:                       {late},
		"id=" + strings.ToUpper(late[28:]): {late},
		"id=" + late[20:]:                  {late},
		"id=x" + late[29:]:                 {"400"},
		"id=" + late[29:]:                  {"400"},
		"id=00000000":                      nil,
		"tracking=S+1":                     {early},
		"tracking=S":                       nil,
		"sku=PEN":                          {pen},
		"sku=pen":                          {"400"},
		"sku=CUP":                          nil,
		"from=" + between:                  {pen, late},
		"to=" + between:                    {early},
		"from=yesterday":                   {"400"},
		"attention=true":                   {late},
		"attention=false":                  {"400"},
		"status=lost":                      {"400"},
		"customer=alice&sku=MUG-BLUE&from=" + between: {late},
		"customer=bob&status=shipped":                 nil,
		"colour=red":                                  {"400"},
	} {
		if len(want) == 1 && want[0] == "400" {
			if a := f.call(http.MethodGet, "/api/operations/orders?"+query, "", f.as("olga")); a.status != http.StatusBadRequest {
				t.Errorf("%s: %d", query, a.status)
			}
			continue
		}
		if ids, next := f.found(query); !slices.Equal(ids, want) || next != "" {
			t.Errorf("%s: %q, want %q; next %q", query, ids, want, next)
		}
	}
	if a := f.call(http.MethodGet, "/api/operations/orders", "", f.as("alice")); a.status != http.StatusForbidden {
		t.Errorf("a customer: %d", a.status)
	}
	var list struct{ Items []map[string]json.RawMessage }
	f.call(http.MethodGet, "/api/operations/orders?tracking=S+1", "", f.as("olga")).into(t, &list)
	if string(list.Items[0]["tracking_number"]) != `"S 1"` || list.Items[0]["attention_since"] != nil {
		t.Errorf("%s", list.Items)
	}
}

func TestTheListOfFoundOrdersIsRead(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.stock("MUG-BLUE")
	f.copies(f.place(), 30) // large ones
	ids, pages := f.pages("/api/operations/orders?limit=100", "id", "olga")
	if slices.Reverse(ids); len(slices.Compact(ids)) != 31 || !slices.IsSorted(ids) || pages < 5 {
		t.Errorf("%d orders on %d pages", len(ids), pages)
	}
}

// A page looks at a limited number of orders for a product. It may be empty, and the next page goes on behind it.
func TestAProductIsFoundBehindManyOrders(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.stock("MUG-BLUE", "PEN")
	var o orderBody
	f.call(http.MethodPost, "/api/orders", strings.Replace(goodOrder, "MUG-BLUE", "PEN", 1), f.as("bob"), header("Idempotency-Key", "k")).into(t, &o)
	f.fill(o.ID, 9999)
	if _, err := f.db.Exec(t.Context(), `UPDATE orders SET lines = '[{"sku": "CUP"}]' WHERE id > (SELECT min(id::text)::uuid FROM orders)`); err != nil {
		t.Fatal(err)
	}
	var all []string
	pages := 0
	for next := ""; ; pages++ {
		var ids []string
		ids, next = f.found("sku=PEN&limit=10&cursor=" + next)
		if all = append(all, ids...); next == "" {
			break
		}
	}
	if len(all) != 1 || pages != 2 {
		t.Errorf("%q after %d pages", all, pages)
	}
}

// TestEverySearchIsAnsweredByAnIndex asks PostgreSQL for its plans: without an index, a list of many orders is slow.
func TestEverySearchIsAnsweredByAnIndex(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.stock("MUG-BLUE")
	id := f.place()
	f.fill(id, 5000)
	given := func(text string) *string { return &text }
	ended, under := cancelled, reserved
	from := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	to := from.Add(24 * time.Hour)
	for index, searches := range map[string][]search{
		"orders_pkey":         {{}, {SKU: given("CUP")}, {From: &from, To: &to}},
		"orders_ended":        {{Status: &ended}},
		"orders_due":          {{Status: &under}},
		"orders_of_customer":  {{Customer: given("alice")}},
		"orders_by_end_of_id": {{End: given(id)}, {End: given(id[28:])}},
		"orders_by_tracking":  {{Tracking: given("T7")}},
		"orders_in_need":      {{Attention: true}},
	} {
		for _, s := range searches {
			if plan := f.planOf(s); !strings.Contains(plan, " "+index+" ") || strings.Contains(plan, "Seq Scan on") {
				t.Errorf("%+v: want %s\n%s", s, index, plan)
			}
		}
	}
}

func (f *fixture) planOf(s search) (plan string) {
	f.Helper()
	rows, err := postgres.Planned(f.Context(), f.db, pgx.RowTo[string], "EXPLAIN "+foundStatement, s.arguments(21, 21)...)
	if err != nil {
		f.Fatal(err)
	}
	return strings.Join(rows, "\n")
}
