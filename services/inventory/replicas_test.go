package main

import (
	"context"
	"math/rand/v2"
	"sync"
	"testing"

	"example.com/orderflow/pkg/bus"
	"example.com/orderflow/pkg/messages"
	"example.com/orderflow/pkg/testkit"
)

func TestReserveAndReleaseAtTheSameMomentBothSucceed(t *testing.T) {
	t.Parallel()
	f := newFixture(t, goods("A", 5))
	other := f.another()
	for range 60 {
		o := newOrder()
		share(t, []*replica{f.replica, other}, []bus.Delivery{letter(reserve(o, "A", 1))}, []bus.Delivery{letter(messages.ReleaseStock{OrderID: o})})
		if s := f.status(o); s != released {
			t.Fatalf("%s", s)
		}
	}
	f.want("A", 5, 0, 0, 0)
}

// shuffled returns the messages of the given number of orders, each message twice, in random order.
func shuffled(orders int, messagesOf func(i int, order string) []messages.Message) (ids []string, all []bus.Delivery) {
	for i := range orders {
		id := newOrder()
		ids = append(ids, id)
		for _, m := range messagesOf(i, id) {
			d := letter(m)
			all = append(all, d, d, letter(m))
		}
	}
	rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return ids, all
}

// batched cuts deliveries into batches of various sizes.
func batched(all []bus.Delivery) (batches [][]bus.Delivery) {
	for len(all) > 0 {
		n := min(len(all), 1+rand.N(12))
		batches = append(batches, all[:n])
		all = all[n:]
	}
	return batches
}

// share gives batches to replicas that work at the same time. Every message must be handled.
func share(t *testing.T, replicas []*replica, batches ...[]bus.Delivery) {
	t.Helper()
	queue := make(chan []bus.Delivery, len(batches))
	for _, batch := range batches {
		queue <- batch
	}
	close(queue)
	var working sync.WaitGroup
	for _, r := range replicas {
		working.Go(func() {
			for batch := range queue {
				for _, err := range r.inbox.Handle(context.Background(), batch) {
					if err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	working.Wait()
}

func TestFiftyOrdersOnAStockOfTenEndInTenReserved(t *testing.T) {
	t.Parallel()
	f := newFixture(t, goods("A", 10))
	replicas := []*replica{f.replica, f.another(), f.another(), f.another()}
	ids, all := shuffled(50, func(_ int, id string) []messages.Message { return []messages.Message{reserve(id, "A", 1)} })
	share(t, replicas, batched(all)...)
	counts := map[status]int{}
	for _, id := range ids {
		counts[f.status(id)]++
	}
	if counts[reserved] != 10 || counts[rejected] != 40 {
		t.Errorf("%v", counts)
	}
	f.want("A", 0, 10, 0, 0)
}

// Several replicas reserve, queue, release and deliver orders for the same few products, which the orders name in various
// orders. No transactions may wait for each other in a circle: PostgreSQL would notice it after a second and abort one of them.
func TestReplicasThatWorkOnTheSameProductsNeverDeadlock(t *testing.T) {
	t.Parallel()
	f := newFixture(t, goods("A", 40), goods("B", 40), goods("C", 40), goods("D", 4))
	for _, sku := range []string{"A", "B", "C", "D"} {
		f.coming(sku, 1000)
	}
	replicas := []*replica{f.replica, f.another(), f.another(), f.another()}
	skus := []string{"A", "B", "C", "D"}
	lines := func() (all []any) {
		for _, i := range rand.Perm(len(skus))[:1+rand.N(4)] {
			all = append(all, skus[i], 1+rand.N(3))
		}
		return all
	}
	ids, all := shuffled(150, func(i int, id string) []messages.Message {
		if i%3 == 0 {
			return []messages.Message{backorder(id, lines()...)}
		}
		return []messages.Message{backorder(id, lines()...), messages.ReleaseStock{OrderID: id}}
	})
	share(t, replicas, batched(all)...)
	for i, id := range ids {
		if s := f.status(id); i%3 != 0 && s != released {
			t.Errorf("order %d is %s", i, s)
		}
	}
	delivered := []messages.Message{}
	for i, id := range ids {
		if i%3 == 0 && f.status(id) == reserved {
			delivered = append(delivered, completed(id))
		}
	}
	if len(delivered) == 0 {
		t.Fatal("nothing was reserved")
	}
	_, all = shuffled(len(delivered), func(i int, _ string) []messages.Message { return delivered[i : i+1] })
	share(t, replicas, batched(all)...)
	if n := f.deadlocks(replicas); n > 0 {
		t.Errorf("%d deadlocks", n)
	}
}

// deadlocks returns how many deadlocks have ever happened in the test's database. Backends report them at the latest when they
// end.
func (f *fixture) deadlocks(replicas []*replica) (n int) {
	f.Helper()
	for _, r := range replicas {
		r.db.Reset()
	}
	testkit.Until(f.T, "all backends have ended", func() bool {
		var others int
		err := f.db.QueryRow(context.Background(), `
			SELECT count(*)
			FROM pg_stat_activity
			WHERE datname = current_database() AND pid <> pg_backend_pid()`).Scan(&others)
		return err == nil && others == 0
	})
	if err := f.db.QueryRow(context.Background(), `SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()`).Scan(&n); err != nil {
		f.Fatal(err)
	}
	return n
}

func TestSeedingAtOnceAddsEachProductOnce(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	replicas := []*replica{f.replica, f.another(), f.another()}
	var seeding sync.WaitGroup
	for _, r := range replicas {
		seeding.Go(func() {
			if err := r.warehouse.stockUp(context.Background(), seeds); err != nil {
				t.Error(err)
			}
		})
	}
	seeding.Wait()
	var announced, entered int
	err := f.db.QueryRow(t.Context(), `
		SELECT (SELECT count(*) FROM outbox WHERE kind = 'inventory.product_changed'),
			(SELECT count(*) FROM stock_movements WHERE what = 'initial')`).Scan(&announced, &entered)
	if err != nil || announced != len(seeds) || entered != len(seeds) {
		t.Errorf("%d products announced and %d entered, %v, want %d", announced, entered, err, len(seeds))
	}
}
