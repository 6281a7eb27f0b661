package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"example.com/orderflow/pkg/bus"
	"example.com/orderflow/pkg/messages"
	"example.com/orderflow/pkg/outbox"
	"example.com/orderflow/pkg/postgres"
	"example.com/orderflow/pkg/telemetry"
	"example.com/orderflow/pkg/testkit"
	"github.com/jackc/pgx/v5"
)

func TestMain(m *testing.M) { testkit.Main(m) }

func reserve(n int) messages.Message {
	return messages.ReserveStock{OrderID: fmt.Sprintf("order-%d", n), Lines: []messages.Line{{SKU: "A", Quantity: 1}}}
}

func send(t *testing.T, db *postgres.DB, due time.Time, msgs ...messages.Message) {
	t.Helper()
	for i, m := range msgs {
		msgs[i] = outbox.At(due, m)
	}
	err := db.Tx(t.Context(), func(tx pgx.Tx) error { return outbox.Send(t.Context(), tx, msgs...) })
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

// collector is a publisher that keeps what it is given, and can be told to refuse.
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

// all is what was published so far.
func (c *collector) all() []bus.Message {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.got)
}

func TestWhatIsCommittedIsPublishedAndWhatIsRolledBackIsNot(t *testing.T) {
	t.Parallel()
	db := testkit.DB(t, outbox.Migrations())
	var c collector
	relay := outbox.NewRelay(db, &c, "orders", testkit.Log(t))
	testkit.Go(t, relay.Run)

	changedMyMind := errors.New("changed my mind")
	err := db.Tx(t.Context(), func(tx pgx.Tx) error {
		if err := outbox.Send(t.Context(), tx, reserve(1)); err != nil {
			return err
		}
		return changedMyMind
	})
	if !errors.Is(err, changedMyMind) {
		t.Fatal(err)
	}
	ctx := bus.WithCause(t.Context(), "0199c0de-0000-7000-8000-000000000001")
	err = db.Tx(ctx, func(tx pgx.Tx) error {
		return outbox.Send(ctx, tx, reserve(2), messages.OrderStatusChanged{OrderID: "order-2"}, messages.StockReserved{OrderID: "order-2"})
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

func TestACommitWakesTheRelayAndADelayedMessageWaits(t *testing.T) {
	t.Parallel()
	db := testkit.DB(t, outbox.Migrations())
	var c collector
	testkit.Go(t, outbox.NewRelay(db, &c, "orders", testkit.Log(t)).Run)
	send(t, db, time.Now().Add(time.Hour), reserve(1))
	for n := range 3 { // each of which has the relay look at what is due
		send(t, db, time.Time{}, reserve(2+n))
		testkit.Until(t, "what has no delay is published", func() bool { return c.count() == 1+n })
	}
	for _, m := range c.all() {
		if m.Subject == "order-1" {
			t.Error("the delayed message was published before it was due")
		}
	}
	if _, err := db.Exec(t.Context(), `UPDATE outbox SET due_at = now()`); err != nil {
		t.Fatal(err)
	}
	testkit.Until(t, "the delayed one is published", func() bool { return c.count() == 4 })
	if last := c.all()[3].Subject; last != "order-1" {
		t.Errorf("what was published last is %s", last)
	}
}

func TestThreeRelaysShareOneOutboxAndPublishEachMessageOnce(t *testing.T) {
	t.Parallel()
	db := testkit.DB(t, outbox.Migrations())
	const total = 3000
	var msgs []messages.Message
	for i := range total {
		msgs = append(msgs, reserve(i))
	}
	send(t, db, time.Time{}, msgs...)
	collectors := make([]*collector, 3)
	for i := range collectors {
		collectors[i] = &collector{}
		testkit.Go(t, outbox.NewRelay(db, collectors[i], "orders", testkit.Log(t)).Run)
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

func TestAMessageThatTheBrokerRefusesStaysAndIsInNobodysWay(t *testing.T) {
	t.Parallel()
	db := testkit.DB(t, outbox.Migrations())
	var fixed sync.Map
	c := collector{fate: func(m bus.Message) error {
		if _, ok := fixed.Load("yes"); m.Subject == "order-1" && !ok {
			return errors.New("unroutable")
		}
		return nil
	}}
	testkit.Go(t, outbox.NewRelay(db, &c, "orders", testkit.Log(t)).Run)
	send(t, db, time.Time{}, reserve(1), reserve(2), reserve(3))
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

func TestWhileTheBrokerIsAwayNothingChangesInTheOutbox(t *testing.T) {
	t.Parallel()
	db := testkit.DB(t, outbox.Migrations())
	c := collector{fate: func(bus.Message) error { return fmt.Errorf("%w: gone", bus.ErrUnavailable) }}
	relay := outbox.NewRelay(db, &c, "orders", testkit.Log(t))
	send(t, db, time.Time{}, reserve(1))
	for range 3 {
		if _, err := relay.Flush(t.Context()); !errors.Is(err, bus.ErrUnavailable) {
			t.Fatalf("flush: %v", err)
		}
	}
	var attempts int
	if err := db.QueryRow(t.Context(), `SELECT attempts FROM outbox WHERE due_at <= now()`).Scan(&attempts); err != nil || attempts != 0 {
		t.Errorf("attempts %d, %v: an absent broker is not the message's fault", attempts, err)
	}
}

// The whole way with a real broker: no binding at first, and then there is one.
func TestAnUnroutableMessageIsDeliveredOnceTheBindingExists(t *testing.T) {
	t.Parallel()
	db := testkit.DB(t, outbox.Migrations())
	v := testkit.NewVhost(t)
	b, err := bus.NewBroker(v.URL, "orders", testkit.Log(t))
	if err != nil {
		t.Fatal(err)
	}
	p := b.NewPublisher()
	testkit.Go(t, p.Run)
	testkit.Go(t, outbox.NewRelay(db, p, "orders", testkit.Log(t)).Run)
	send(t, db, time.Time{}, reserve(1))
	testkit.Until(t, "the message was refused", func() bool {
		backlog, err := outbox.Waiting(t.Context(), db)
		return err == nil && backlog.Refused == 1
	})
	v.Tap("inventory", bus.Commands, "inventory.reserve_stock")
	testkit.Until(t, "it has arrived", func() bool { return v.Depth("inventory") == 1 && rows(t, db) == 0 })
}

func TestAnOriginOutlivesTheContextThatItIsOf(t *testing.T) {
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
