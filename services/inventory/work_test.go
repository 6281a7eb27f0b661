package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"example.com/orderflow/pkg/bus"
	"example.com/orderflow/pkg/messages"
	"example.com/orderflow/pkg/postgres"
	"example.com/orderflow/pkg/testkit"
	"example.com/orderflow/pkg/unit"
)

// statements counts the statements that are sent to the database.
type statements struct {
	mu         sync.Mutex
	roundTrips int
	all        []string // the first words of each
}

func (s *statements) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.roundTrips++
	return ctx
}

func (s *statements) TraceBatchQuery(_ context.Context, _ *pgx.Conn, data pgx.TraceBatchQueryData) {
	s.mu.Lock()
	defer s.mu.Unlock()
	words := strings.Fields(data.SQL)
	s.all = append(s.all, strings.Join(words[:min(len(words), 3)], " "))
}

func (s *statements) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {}

func (s *statements) TraceQueryStart(ctx context.Context, _ *pgx.Conn, data pgx.TraceQueryStartData) context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.roundTrips++
	s.all = append(s.all, data.SQL)
	return ctx
}

func (s *statements) TraceQueryEnd(context.Context, *pgx.Conn, pgx.TraceQueryEndData) {}

// counted starts another replica whose statements are counted.
func (f *fixture) counted() (*replica, *statements) {
	f.Helper()
	s := &statements{}
	cfg := f.db.Config()
	cfg.ConnConfig.Tracer = s
	pool, err := pgxpool.NewWithConfig(f.Context(), cfg)
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(pool.Close)
	return f.newReplica(&postgres.DB{Pool: pool}), s
}

// mixture returns a batch of n or more messages of all kinds, and the messages that must come before it. Orders that wait, wait
// for Q.
func mixture(n int, wait bool) (before []messages.Message, batch []bus.Delivery) {
	for len(batch) < n {
		held, delivered, done := newOrder(), newOrder(), newOrder()
		before = append(before, reserve(held, "A", 2, "Q", 1), reserve(delivered, "B", 1), reserve(done, "A", 1), completed(done))
		few, many, both, unknown, waits := newOrder(), newOrder(), newOrder(), newOrder(), newOrder()
		again := letter(reserve(few, "A", 1, "B", 1))
		batch = append(batch,
			letter(messages.ReleaseStock{OrderID: held}),
			letter(completed(delivered)),
			letter(messages.ReleaseStock{OrderID: done}), // rejected: it has been delivered
			again,
			again,
			letter(reserve(many, "B", 900)), // rejected
			letter(reserve(both, "B", 3, "A", 1)),
			letter(messages.ReleaseStock{OrderID: both}),
			letter(reserve(unknown, "X", 1)),
		)
		if wait {
			before = append(before, backorder(newOrder(), "Q", 1000, "A", 1)) // never served
			batch = append(batch, letter(backorder(waits, "Q", 1, "B", 1)))
		} else {
			batch = append(batch, letter(messages.ReleaseStock{OrderID: waits}))
		}
	}
	return before, batch
}

func TestTheNumberOfStatementsDoesNotDependOnTheSizeOfABatch(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name       string
		wait       bool
		roundTrips int
	}{
		{"nobody waits", false, 2},
		{"somebody waits", true, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var sent [][]string
			for _, n := range []int{10, unit.Most} {
				f := newFixture(t, goods("A", 500), goods("B", 500), goods("Q", 100))
				f.coming("Q", 1_000_000)
				r, s := f.counted()
				for range 2 { // twice, because statements are prepared at their first use
					before, batch := mixture(n, c.wait)
					f.receive(before...)
					s.roundTrips, s.all = 0, nil
					for i, err := range r.inbox.Handle(t.Context(), batch) {
						if refused := i%10 == 2; refused != bus.Rejected(err) || !refused && err != nil {
							t.Fatalf("message %d: %v", i, err)
						}
					}
				}
				if s.roundTrips != c.roundTrips {
					t.Errorf("%d round trips for %d messages, want %d:\n%s", s.roundTrips, n, c.roundTrips, strings.Join(s.all, "\n"))
				}
				sent = append(sent, s.all)
			}
			if !slices.Equal(sent[0], sent[1]) {
				t.Errorf("10 messages are\n%s\nand %d are\n%s", strings.Join(sent[0], "\n"), unit.Most, strings.Join(sent[1], "\n"))
			}
		})
	}
}

func TestABatchEndsLikeItsMessagesOneByOne(t *testing.T) {
	t.Parallel()
	for _, wait := range []bool{false, true} {
		before, batch := mixture(unit.Most, wait)
		products := []product{goods("A", 45), goods("B", 40), goods("Q", 10)} // not enough for all
		together, oneByOne := newFixture(t, products...), newFixture(t, products...)
		for _, f := range []*fixture{together, oneByOne} {
			f.coming("Q", 1_000_000)
			f.receive(before...)
		}
		errs := together.inbox.Handle(t.Context(), batch)
		for i, d := range batch {
			one := oneByOne.inbox.Handle(t.Context(), []bus.Delivery{d})
			if bus.Rejected(errs[i]) != bus.Rejected(one[0]) || (errs[i] == nil) != (one[0] == nil) {
				t.Errorf("%s: %v together, %v alone", d.Kind, errs[i], one[0])
			}
		}
		a, b := together.everything(), oneByOne.everything()
		if !maps.Equal(a, b) {
			for what := range a {
				if a[what] != b[what] {
					t.Errorf("%s is %s together, and %s one by one", what, a[what], b[what])
				}
			}
			t.Errorf("%d things together, %d one by one", len(a), len(b))
		}
	}
}

// everything describes the contents of all tables.
func (f *fixture) everything() map[string]string {
	f.Helper()
	all := map[string]string{}
	rows, err := f.db.Query(context.Background(), `
		SELECT 'product ' || sku, format('%s %s %s %s', available, reserved, backordered, on_order)
		FROM products
		UNION ALL
		SELECT 'order ' || order_id, format('%s, its lines %s, %s wait', status, (
			SELECT json_agg(json_build_array(sku, quantity) ORDER BY sku) FROM reservation_lines AS l WHERE l.order_id = r.order_id), (
			SELECT count(place) FROM reservation_lines AS l WHERE l.order_id = r.order_id))
		FROM reservations AS r
		UNION ALL
		SELECT 'message about ' || subject, string_agg(kind || body::text, ', ' ORDER BY kind)
		FROM outbox
		GROUP BY subject
		UNION ALL
		SELECT format('movement %s %s', reference, sku), format('%s %s', what, quantity)
		FROM stock_movements`)
	if err != nil {
		f.Fatal(err)
	}
	var what, is string
	if _, err := pgx.ForEachRow(rows, []any{&what, &is}, func() error { all[what] = is; return nil }); err != nil {
		f.Fatal(err)
	}
	return all
}

// The places in a queue follow the order of the decisions, even if it differs from the order of the ids.
func TestWaitingOrdersAreQueuedInTheOrderOfDecisions(t *testing.T) {
	t.Parallel()
	f := newFixture(t, goods("A", 0))
	f.coming("A", 1000)
	var decisions []unit.Decision[*work]
	var wait []string
	for range unit.Most {
		m := backorder(newOrder(), "A", 1)
		wait = append(wait, m.OrderID)
		decisions = append(decisions, unit.Decision[*work]{
			Name: func(w *work) { w.About(m) },
			Make: func(w *work) error { return reserveStock(t.Context(), w, m) },
		})
	}
	slices.Reverse(decisions)
	slices.Reverse(wait)
	for _, err := range f.warehouse.office.Decide(t.Context(), decisions) {
		if err != nil {
			t.Fatal(err)
		}
	}
	served := func() (n int) {
		for i, id := range wait {
			if f.status(id) == reserved {
				if n++; n != i+1 {
					t.Errorf("the %dth of the queue is served, and %d of those before", i+1, n-1)
				}
			}
		}
		return n
	}
	for i, add := range []int{1, 40, 30} {
		if a := f.call("POST", "/api/products/A/stock", fmt.Sprintf(`{"add":%d}`, add), f.as("olga")); a.status != 200 {
			t.Fatalf("%d %s", a.status, a.body)
		}
		if n, want := served(), []int{1, 41, 71}[i]; n != want {
			t.Errorf("%d are served, want %d", n, want)
		}
	}
}

// Two replicas work on the same products in opposite order: for the same orders, and for different ones. Both begin while
// another transaction holds a lock in the middle of both.
func TestBatchesInOppositeOrderDoNotDeadlock(t *testing.T) {
	t.Parallel()
	skus := []string{"A", "B", "C", "D", "E", "F", "G", "H"}
	var products []product
	for _, sku := range skus {
		products = append(products, goods(sku, 60))
	}
	f := newFixture(t, products...)
	for _, sku := range skus {
		f.coming(sku, 10_000)
	}
	replicas := []*replica{f.replica, f.another()}
	for _, same := range slices.Repeat([]bool{true, false}, 4) {
		var orders []string
		var there, back []bus.Delivery
		for i := range 40 {
			wish := backorder(newOrder(), skus[i%8], 2, skus[(i+3)%8], 1, skus[(i+5)%8], 3)
			orders = append(orders, wish.OrderID)
			undo := messages.ReleaseStock{OrderID: wish.OrderID}
			there = append(there, letter(wish), letter(undo))
			if !same {
				wish.OrderID = newOrder()
				undo.OrderID = wish.OrderID
				slices.Reverse(wish.Lines)
			}
			back = append(back, letter(undo), letter(wish))
		}
		slices.Reverse(back)
		middle := reserve(newOrder(), "D", 1)
		if same {
			middle.OrderID = orders[20]
		}
		finish := f.hold(decide(middle, reserveStock))
		done := make(chan struct{})
		go func() {
			share(t, replicas, there, back)
			close(done)
		}()
		finish(2)
		<-done
	}
	if n := f.deadlocks(replicas); n > 0 {
		t.Errorf("%d deadlocks", n)
	}
}

// hold begins a unit of work in another replica. finish ends it once the given number of transactions wait for its locks.
func (f *fixture) hold(d unit.Decision[*work]) (finish func(waiting int)) {
	f.Helper()
	r := f.another()
	loaded, goOn, done := make(chan struct{}), make(chan struct{}), make(chan error)
	go func() {
		done <- r.db.Tx(context.Background(), func(tx *postgres.Tx) error {
			w := r.warehouse.work()
			d.Name(w)
			if err := w.Load(context.Background(), tx); err != nil {
				return err
			}
			close(loaded)
			<-goOn
			if err := d.Make(w); err != nil {
				return err
			}
			return w.Save(context.Background(), tx)
		})
	}()
	<-loaded
	return func(waiting int) {
		f.Helper()
		testkit.Until(f.T, "they wait for a lock", func() bool {
			var n int
			err := f.db.QueryRow(context.Background(), `
				SELECT count(*)
				FROM pg_stat_activity
				WHERE datname = current_database() AND wait_event_type = 'Lock'`).Scan(&n)
			return err == nil && n == waiting
		})
		close(goOn)
		if err := <-done; err != nil {
			f.Fatal(err)
		}
		r.db.Close()
	}
}

func decide[M messages.Message](m M, how func(context.Context, *work, M) error) unit.Decision[*work] {
	return unit.Decision[*work]{
		Name: func(w *work) { w.About(m) },
		Make: func(w *work) error { return how(context.Background(), w, m) },
	}
}

func TestAQueueThatGrowsDuringTheWaitForItsLockIsServedAsAWhole(t *testing.T) {
	t.Parallel()
	f := newFixture(t, goods("A", 2), goods("Z", 5))
	f.coming("A", 100)
	holds, waits := newOrder(), newOrder()
	f.receive(reserve(holds, "A", 2))
	begun := f.hold(decide(backorder(waits, "A", 2, "Z", 1), reserveStock))
	done := make(chan error)
	go func() {
		done <- f.inbox.Handle(t.Context(), []bus.Delivery{letter(messages.ReleaseStock{OrderID: holds})})[0]
	}()
	begun(1)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if f.status(holds) != released || f.status(waits) != reserved {
		t.Errorf("%s, %s", f.status(holds), f.status(waits))
	}
	f.want("Z", 4, 1, 0, 0)
}

// A transaction about another order serves a waiting order, just when that order gives up.
func TestAnOrderThatIsServedWhileItGivesUpReturnsItsUnits(t *testing.T) {
	t.Parallel()
	f := newFixture(t, goods("A", 2))
	f.coming("A", 100)
	holds, waits := newOrder(), newOrder()
	f.receive(reserve(holds, "A", 2), backorder(waits, "A", 1))
	begun := f.hold(decide(messages.ReleaseStock{OrderID: holds}, releaseStock))
	done := make(chan error)
	go func() {
		done <- f.inbox.Handle(t.Context(), []bus.Delivery{letter(messages.ReleaseStock{OrderID: waits})})[0]
	}()
	begun(1)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if got := f.sent(waits); f.status(waits) != released || !strings.HasSuffix(got, "stock_reserved stock_released") {
		t.Errorf("%s, sent %s", f.status(waits), got)
	}
	f.want("A", 2, 0, 0, 100)
}

// A decision depends on the units that the decisions before it have ordered, also in the same batch.
func TestAReorderForAWaitingOrderLeavesTheShelfToTheNextOrderInTheBatch(t *testing.T) {
	t.Parallel()
	f := newFixture(t, lamp(5))
	bob, alice := newOrder(), newOrder()
	for _, err := range f.inbox.Handle(t.Context(), []bus.Delivery{letter(backorder(bob, "LAMP", 10)), letter(reserve(alice, "LAMP", 2))}) {
		if err != nil {
			t.Fatal(err)
		}
	}
	if f.status(bob) != backordered || f.status(alice) != reserved {
		t.Errorf("bob %s, alice %s", f.status(bob), f.status(alice))
	}
	f.want("LAMP", 3, 2, 10, 20)
	var orders int
	if err := f.db.QueryRow(t.Context(), `SELECT count(*) FROM supplier_orders`).Scan(&orders); err != nil || orders != 1 {
		t.Errorf("%d supplier orders, %v, want one", orders, err)
	}
}

// An order is reserved and released in one batch. This frees units of A, for which another order waits, but that one also needs
// Z.
func TestAnOrderThatComesAndGoesInOneBatchLeavesThingsAsTheyWere(t *testing.T) {
	t.Parallel()
	f := newFixture(t, goods("A", 3), goods("Z", 0))
	f.coming("Z", 5)
	waits, comes := newOrder(), newOrder()
	f.receive(backorder(waits, "A", 1, "Z", 1))
	for _, err := range f.inbox.Handle(t.Context(), []bus.Delivery{letter(reserve(comes, "A", 1)), letter(messages.ReleaseStock{OrderID: comes})}) {
		if err != nil {
			t.Fatal(err)
		}
	}
	if f.status(waits) != backordered || f.status(comes) != released || f.sent(comes) != "stock_reserved stock_released" {
		t.Errorf("%s and %s, sent %s", f.status(waits), f.status(comes), f.sent(comes))
	}
	f.want("A", 3, 0, 1, 0)
}
