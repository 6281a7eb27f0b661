package main

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"example.com/orderflow/pkg/messages"
	"example.com/orderflow/pkg/postgres"
	"example.com/orderflow/pkg/testkit"
)

// hurry makes every open supplier order due.
func (f *fixture) hurry() {
	f.Helper()
	if _, err := f.db.Exec(context.Background(), `UPDATE supplier_orders SET due_at = now() WHERE status <> 'arrived'`); err != nil {
		f.Fatal(err)
	}
}

// open returns the state of the only open supplier order.
func (f *fixture) open() (status string, attempts int, failed bool) {
	f.Helper()
	err := f.db.QueryRow(context.Background(), `
		SELECT status, attempts, last_error <> ''
		FROM supplier_orders
		WHERE status <> 'arrived'`).Scan(&status, &attempts, &failed)
	if err != nil {
		f.Fatal(err)
	}
	return status, attempts, failed
}

func lamp(units int) product { return seed("LAMP", "Lamp", 6900, units, 3, 10, "for a test") }

func TestStockThatRunsLowIsReplenishedAndServesTheQueue(t *testing.T) {
	t.Parallel()
	f := newFixture(t, lamp(12), goods("B", 0))
	f.coming("B", 2)
	some, many, rest := newOrder(), newOrder(), newOrder()
	f.receive(reserve(some, "LAMP", 8))
	f.want("LAMP", 4, 8, 0, 0)
	f.receive(backorder(many, "LAMP", 15, "B", 1), backorder(rest, "LAMP", 2))
	if f.want("LAMP", 2, 10, 15, 20); f.status(rest) != reserved { // 4 + 20 - 15 is above the reorder point, also after 2 more are taken
		t.Error("20 are on order for 15 that are waited for, and of 4 on the shelf nobody is given 2")
	}
	if a := f.call(http.MethodPost, "/api/products/B/stock", `{"add":1}`, f.as("olga")); a.status != http.StatusOK || f.status(many) != backordered {
		t.Errorf("%d, %s", a.status, f.status(many))
	}
	testkit.Go(t, f.warehouse.worker.Run)
	testkit.Until(t, "the order is placed", func() bool { units, _ := f.factory.ordered("LAMP"); return units == 20 })
	f.factory.deliver()
	testkit.Until(t, "what was ordered is here", func() bool {
		f.hurry()
		return f.status(many) == reserved
	})
	f.want("LAMP", 7, 25, 0, 0)
	f.want("B", 0, 1, 0, 2)
	if f.status(many) != reserved || f.sent("LAMP") != "stock_replenished" {
		t.Errorf("%s, sent %s", f.status(many), f.sent("LAMP"))
	}
}

func TestAReorderIsRecordedOnceHoweverManyOrdersFindStockLow(t *testing.T) {
	t.Parallel()
	f := newFixture(t, lamp(20))
	replicas := []*replica{f.replica, f.another(), f.another()}
	_, all := shuffled(20, func(_ int, id string) []messages.Message { return []messages.Message{reserve(id, "LAMP", 1)} })
	share(t, replicas, batched(all)...)
	f.want("LAMP", 0, 20, 0, 10)
	var orders int
	if err := f.db.QueryRow(t.Context(), `SELECT count(*) FROM supplier_orders`).Scan(&orders); err != nil || orders != 1 {
		t.Errorf("%d orders, %v", orders, err)
	}
}

// Whatever goes wrong between us and the supplier, an order is placed once and arrives once.
func TestASupplierOrderIsPlacedOnce(t *testing.T) {
	t.Parallel()
	reset := func(w http.ResponseWriter, _ *http.Request, _ func()) {
		conn, _, _ := w.(http.Hijacker).Hijack()
		_ = conn.Close()
	}
	for _, c := range []struct {
		name   string
		fault  func(w http.ResponseWriter, r *http.Request, act func())
		orders int // number at the supplier after the failed attempt
	}{
		{"503", func(w http.ResponseWriter, _ *http.Request, _ func()) { w.WriteHeader(http.StatusServiceUnavailable) }, 0},
		{"500 after it was done", func(w http.ResponseWriter, _ *http.Request, act func()) {
			act()
			w.WriteHeader(http.StatusInternalServerError)
		}, 1},
		{"a reset connection", reset, 0},
		{"a reset connection after it was done", func(w http.ResponseWriter, r *http.Request, act func()) { act(); reset(w, r, nil) }, 1},
		{"no answer in time, and it was done", func(_ http.ResponseWriter, r *http.Request, act func()) { act(); <-r.Context().Done() }, 1},
		{"a refusal", func(w http.ResponseWriter, _ *http.Request, _ func()) { w.WriteHeader(http.StatusUnprocessableEntity) }, 0},
		{"a refusal that no database takes", func(w http.ResponseWriter, _ *http.Request, _ func()) {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusUnprocessableEntity)
			_, _ = w.Write([]byte(`{"detail":"we \u0000 do not"}`))
		}, 0},
		{"nonsense", func(w http.ResponseWriter, _ *http.Request, _ func()) { _, _ = w.Write([]byte("<html>")) }, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, lamp(4))
			f.receive(reserve(newOrder(), "LAMP", 1))
			f.factory.misbehave(func(w http.ResponseWriter, r *http.Request, act func()) {
				if r.Method == http.MethodGet {
					f.factory.serve(w, r)
					return
				}
				c.fault(w, r, act)
			})
			if f.work(f.replica) == nil {
				t.Error("no error")
			}
			if status, attempts, failed := f.open(); status != "requested" || attempts != 1 || !failed {
				t.Errorf("%s after %d attempts, failed %t", status, attempts, failed)
			}
			if _, orders := f.factory.ordered("LAMP"); orders != c.orders {
				t.Errorf("%d orders at the supplier, want %d", orders, c.orders)
			}
			f.factory.misbehave(nil)
			f.factory.deliver() // if it was ordered
			for range 3 {
				f.hurry()
				if err := f.work(f.another()); err != nil {
					t.Error(err)
				}
				f.factory.deliver()
			}
			if units, orders := f.factory.ordered("LAMP"); units != 10 || orders != 1 || f.factory.posts != 1 {
				t.Errorf("%d units in %d orders by %d calls", units, orders, f.factory.posts)
			}
			f.want("LAMP", 13, 1, 0, 0)
		})
	}
}

// work does what the worker of a replica would do now, and returns the last error.
func (f *fixture) work(r *replica) (last error) {
	f.Helper()
	w := r.warehouse.worker
	rows, err := w.Claim(context.Background(), w.Slots)
	if err != nil {
		f.Fatal(err)
	}
	for _, row := range rows {
		if err := w.Do(context.Background(), row); err != nil {
			last = err
		}
	}
	return last
}

func TestACrashBetweenCallAndRecordIsFoundOutByAsking(t *testing.T) {
	t.Parallel()
	f := newFixture(t, lamp(3)) // it starts at the reorder point
	rows, err := f.warehouse.worker.Claim(t.Context(), 1)
	if err != nil || len(rows) != 1 {
		t.Fatal(rows, err)
	}
	if _, err := f.warehouse.supplier.order(t.Context(), rows[0].ID, rows[0].SKU, rows[0].Quantity); err != nil {
		t.Fatal(err)
	}
	// Here the program dies. No other worker takes the order until its lease ends.
	if rows, err := f.another().warehouse.worker.Claim(t.Context(), 1); err != nil || len(rows) != 0 {
		t.Errorf("claimed twice: %v, %v", rows, err)
	}
	f.factory.deliver()
	f.hurry()
	if err := f.work(f.another()); err != nil {
		t.Error(err)
	}
	if f.factory.posts != 1 {
		t.Errorf("ordered %d times", f.factory.posts)
	}
	f.want("LAMP", 13, 0, 0, 0)
	if err := f.warehouse.record(t.Context(), rows[0], delivery{arrived: true}, nil); err != nil { // the first worker was not dead, only slow
		t.Error(err)
	}
	f.want("LAMP", 13, 0, 0, 0)
}

func TestANewSupplierOrderIsLeasedToTheWorkerOfItsReplica(t *testing.T) {
	t.Parallel()
	f := newFixture(t, lamp(12))
	w := f.warehouse.worker
	testkit.Go(t, w.Run)
	testkit.Until(t, "the worker runs", func() bool {
		n := w.Reserve(1)
		defer w.Release(n)
		return n == 1
	})
	var mine int
	err := f.db.Tx(t.Context(), func(tx *postgres.Tx) error {
		w, d := f.warehouse.work(), decide(reserve(newOrder(), "LAMP", 10), reserveStock)
		d.Name(w)
		if err := errors.Join(w.Load(t.Context(), tx), d.Make(w), w.Save(t.Context(), tx)); err != nil {
			return err
		}
		postgres.Rows(tx, pgx.RowTo[int], func(n int) { mine = n }, `SELECT count(*) FROM supplier_orders WHERE attempts = 1 AND due_at > now()`)
		return nil
	})
	if err != nil || mine != 1 {
		t.Errorf("%d, %v", mine, err)
	}
	testkit.Until(t, "it is ordered", func() bool { units, _ := f.factory.ordered("LAMP"); return units == 10 })
}

func TestTwoReplicasNeverDoTheSameWork(t *testing.T) {
	t.Parallel()
	var products []product
	for _, sku := range []string{"A", "B", "C", "D", "E", "F", "G", "H"} {
		products = append(products, seed(sku, sku, 100, 1, 3, 10, "for a test"))
	}
	f := newFixture(t, products...)
	for _, r := range []*replica{f.replica, f.another(), f.another()} {
		testkit.Go(t, r.warehouse.worker.Run)
	}
	testkit.Until(t, "all is ordered", func() bool {
		var left int
		err := f.db.QueryRow(t.Context(), `SELECT count(*) FROM supplier_orders WHERE status = 'requested'`).Scan(&left)
		return err == nil && left == 0
	})
	f.factory.deliver()
	f.hurry()
	testkit.Until(t, "all is here", func() bool {
		var left int
		err := f.db.QueryRow(t.Context(), `SELECT count(*) FROM supplier_orders WHERE status <> 'arrived'`).Scan(&left)
		return err == nil && left == 0
	})
	if f.factory.posts != len(products) {
		t.Errorf("%d calls for %d products", f.factory.posts, len(products))
	}
	for _, p := range products {
		f.want(p.SKU, 11, 0, 0, 0)
	}
}

func TestWhenToAskAboutASupplierOrder(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name     string
		expected time.Time
		want     time.Duration
	}{
		{"when it is expected", now.Add(10 * time.Second), 10 * time.Second},
		{"at the latest after a minute", now.Add(24 * time.Hour), askMost},
		{"not at once when it is due now", now, askFirst},
		{"a little overdue", now.Add(-4 * time.Second), 2 * time.Second},
		{"long overdue", now.Add(-time.Hour), askMost},
		{"nobody knows when", time.Time{}, askMost},
	} {
		if got := askIn(c.expected, now); got != c.want {
			t.Errorf("%s: in %s, want %s", c.name, got, c.want)
		}
	}
}
