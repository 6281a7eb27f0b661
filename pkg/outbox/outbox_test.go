package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"example.com/orderflow/pkg/bus"
	"example.com/orderflow/pkg/messages"
	"example.com/orderflow/pkg/outbox"
	"example.com/orderflow/pkg/postgres"
	"example.com/orderflow/pkg/telemetry"
	"example.com/orderflow/pkg/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

func changed(order string) messages.OrderStatusChanged {
	return messages.OrderStatusChanged{OrderChange: messages.OrderChange{OrderID: order}}
}

func reserve(n int) messages.Message {
	return messages.ReserveStock{OrderID: fmt.Sprintf("order-%d", n), Lines: []messages.Line{{SKU: "A", Quantity: 1}}}
}

func send(t *testing.T, db *postgres.DB, o *outbox.Outbox, msgs ...messages.Message) {
	t.Helper()
	err := db.Tx(t.Context(), func(tx *postgres.Tx) error { return o.Deliver(t.Context(), tx, msgs...) })
	if err != nil {
		t.Fatal(err)
	}
}

func rows(t *testing.T, db *postgres.DB) (n int) {
	t.Helper()
	if err := db.QueryRow(t.Context(), `SELECT count(*) FROM outbox`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// collector is a publisher that keeps the messages that it is given, and can be told to refuse.
type collector struct {
	mu   sync.Mutex
	fate func(bus.Message) error
	got  []bus.Message
}

func (c *collector) Publish(_ context.Context, batch []bus.Message) []error {
	c.mu.Lock()
	defer c.mu.Unlock()
	errs := make([]error, len(batch))
	for i, m := range batch {
		if c.fate != nil {
			errs[i] = c.fate(m)
		}
		if errs[i] == nil {
			c.got = append(c.got, m)
		}
	}
	return errs
}

func (c *collector) count() int { return len(c.all()) }

// all returns the messages that were published so far.
func (c *collector) all() []bus.Message {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.got)
}

func TestCommittedMessagesArePublishedAndRolledBackOnesAreNot(t *testing.T) {
	t.Parallel()
	db, o := testkit.DB(t, outbox.Migrations()), outbox.New("orders")
	var c collector
	relay := outbox.NewRelay(db, o, &c, testkit.Log(t))
	testkit.Go(t, relay.Run)

	changedMyMind := errors.New("changed my mind")
	err := db.Tx(t.Context(), func(tx *postgres.Tx) error {
		if err := o.Deliver(t.Context(), tx, reserve(1)); err != nil {
			return err
		}
		return changedMyMind
	})
	if !errors.Is(err, changedMyMind) {
		t.Fatal(err)
	}
	ctx := bus.WithCause(t.Context(), "0199c0de-0000-7000-8000-000000000001")
	err = db.Tx(ctx, func(tx *postgres.Tx) error {
		return o.Deliver(ctx, tx, reserve(2), changed("order-2"), messages.StockReserved{OrderID: "order-2"})
	})
	if err != nil {
		t.Fatal(err)
	}
	testkit.Until(t, "the outbox is empty", func() bool { return rows(t, db) == 0 })
	if c.count() != 3 {
		t.Fatalf("published %d, want the 3 that were committed: %v", c.count(), c.got)
	}
	for i, want := range []struct {
		kind, exchange string
		mandatory      bool
	}{{"inventory.reserve_stock", bus.Commands, true}, {"orders.order_status_changed", bus.Events, false}, {"inventory.stock_reserved", bus.Events, true}} {
		m := c.got[i]
		if m.Kind != want.kind || m.Exchange != want.exchange || m.Mandatory != want.mandatory || m.Subject != "order-2" ||
			m.Source != "orders" || m.CausationID != "0199c0de-0000-7000-8000-000000000001" || m.ID == "" || time.Since(m.Time) > time.Hour {
			t.Errorf("message %d: %+v, want %+v", i, m, want)
		}
	}
	if got, want := string(c.got[0].Body), `{"order_id":"order-2","lines":[{"sku":"A","quantity":1}],"allow_backorder":false}`; got != want {
		t.Errorf("body %s, want %s", got, want)
	}
}

func TestThreeRelaysShareOneOutboxAndPublishEachMessageOnce(t *testing.T) {
	t.Parallel()
	db, o := testkit.DB(t, outbox.Migrations()), outbox.New("orders")
	const total = 3000
	var msgs []messages.Message
	for i := range total {
		msgs = append(msgs, reserve(i))
	}
	send(t, db, o, msgs...) // more than are kept in memory
	collectors := make([]*collector, 3)
	for i := range collectors {
		collectors[i] = &collector{}
		testkit.Go(t, outbox.NewRelay(db, outbox.New("orders"), collectors[i], testkit.Log(t)).Run)
	}
	testkit.Until(t, "the outbox is empty", func() bool { return rows(t, db) == 0 })
	seen := map[string]int{}
	for _, c := range collectors {
		for _, m := range c.got {
			seen[m.ID]++
		}
	}
	if len(seen) != total {
		t.Errorf("%d messages published, want %d", len(seen), total)
	}
	for id, n := range seen {
		if n != 1 {
			t.Errorf("message %s published %d times", id, n)
		}
	}
}

func TestAMessageThatTheBrokerRefusesStaysAndStopsNoOther(t *testing.T) {
	t.Parallel()
	db, o := testkit.DB(t, outbox.Migrations()), outbox.New("orders")
	var fixed sync.Map
	c := collector{fate: func(m bus.Message) error {
		if _, ok := fixed.Load("yes"); m.Subject == "order-1" && !ok {
			return errors.New("unroutable")
		}
		return nil
	}}
	testkit.Go(t, outbox.NewRelay(db, o, &c, testkit.Log(t)).Run)
	send(t, db, o, reserve(1), reserve(2), reserve(3))
	testkit.Until(t, "the others are published", func() bool { return c.count() == 2 })
	testkit.Until(t, "it was tried again", func() bool {
		var attempts int
		if err := db.QueryRow(t.Context(), `SELECT attempts FROM outbox`).Scan(&attempts); err != nil {
			t.Fatal(err)
		}
		return attempts >= 2
	})
	backlog, err := outbox.Waiting(t.Context(), db)
	if err != nil || backlog.Refused != 1 {
		t.Errorf("backlog %+v, %v: one message is refused", backlog, err)
	}
	fixed.Store("yes", true)
	testkit.Until(t, "it is published in the end", func() bool { return c.count() == 3 && rows(t, db) == 0 })
}

func TestWhileTheBrokerIsAwayMessagesAreGivenBackAndNotLost(t *testing.T) {
	t.Parallel()
	db, o := testkit.DB(t, outbox.Migrations()), outbox.New("orders")
	var back atomic.Bool
	c := collector{fate: func(bus.Message) error {
		if back.Load() {
			return nil
		}
		return fmt.Errorf("%w: gone", bus.ErrUnavailable)
	}}
	relay := outbox.NewRelay(db, o, &c, testkit.Log(t))
	send(t, db, outbox.New("orders"), reserve(1)) // from a replica that has died
	if _, err := db.Exec(t.Context(), `UPDATE outbox SET due_at = now()`); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if n, err := relay.Sweep(t.Context()); n != 1 || !errors.Is(err, bus.ErrUnavailable) {
			t.Fatalf("sweep: %d, %v", n, err)
		}
	}
	send(t, db, o, reserve(2))
	due := func() (n int) {
		if err := db.QueryRow(t.Context(), `SELECT count(*) FROM outbox WHERE due_at <= now() AND attempts = 0`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	if due() != 2 { // while the broker is away no message is kept in memory
		t.Errorf("%d are due, want both: an absent broker is not a message's fault", due())
	}
	stop := testkit.Go(t, relay.Run)
	send(t, db, o, reserve(3))
	stop()
	if due() != 3 {
		t.Errorf("%d are due after the relay has stopped, want 3", due())
	}
	back.Store(true)
	testkit.Go(t, relay.Run)
	testkit.Until(t, "all are published", func() bool { return c.count() == 3 && rows(t, db) == 0 })
}

// With a real broker: there is no binding at first, and then there is one.
func TestAnUnroutableMessageIsDeliveredOnceTheBindingExists(t *testing.T) {
	t.Parallel()
	db, o := testkit.DB(t, outbox.Migrations()), outbox.New("orders")
	v := testkit.NewVhost(t)
	b, err := bus.NewBroker(v.URL, "orders", testkit.Log(t))
	if err != nil {
		t.Fatal(err)
	}
	p := b.NewPublisher()
	testkit.Go(t, p.Run)
	testkit.Go(t, outbox.NewRelay(db, o, p, testkit.Log(t)).Run)
	send(t, db, o, reserve(1))
	testkit.Until(t, "the message was refused", func() bool {
		backlog, err := outbox.Waiting(t.Context(), db)
		return err == nil && backlog.Refused == 1
	})
	v.Tap("inventory", bus.Commands, "inventory.reserve_stock")
	testkit.Until(t, "it has arrived", func() bool { return v.Depth("inventory") == 1 && rows(t, db) == 0 })
}

func TestAnOriginOutlivesItsContext(t *testing.T) {
	t.Parallel()
	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	ctx := telemetry.Extract(bus.WithCause(t.Context(), "the-cause"), parent, "a=b")
	kept := outbox.OriginOf(ctx)
	if want := (outbox.Origin{CausationID: "the-cause", TraceParent: parent, TraceState: "a=b"}); kept != want {
		t.Fatalf("origin %+v, want %+v", kept, want)
	}
	if again := outbox.OriginOf(kept.Resume(context.Background())); again != kept {
		t.Errorf("resumed, it is %+v", again)
	}
}
