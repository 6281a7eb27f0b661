package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/orderflow/local/servers"
	"example.com/orderflow/pkg/bus"
	"example.com/orderflow/pkg/messages"
	"example.com/orderflow/pkg/outbox"
	"example.com/orderflow/pkg/postgres"
	"example.com/orderflow/pkg/testkit"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// statements keeps the results of a pool's statements on the outbox: "INSERT 0 3".
type statements struct {
	mu  sync.Mutex
	did []string
}

type isOutbox struct{}

func (s *statements) TraceQueryStart(ctx context.Context, _ *pgx.Conn, q pgx.TraceQueryStartData) context.Context {
	return context.WithValue(ctx, isOutbox{}, strings.Contains(q.SQL, "outbox"))
}

func (s *statements) TraceQueryEnd(ctx context.Context, _ *pgx.Conn, q pgx.TraceQueryEndData) {
	if about, _ := ctx.Value(isOutbox{}).(bool); about {
		s.add(q.CommandTag.String())
	}
}

func (s *statements) TraceBatchStart(ctx context.Context, _ *pgx.Conn, _ pgx.TraceBatchStartData) context.Context {
	return ctx
}

func (s *statements) TraceBatchQuery(_ context.Context, _ *pgx.Conn, q pgx.TraceBatchQueryData) {
	if strings.Contains(q.SQL, "outbox") {
		s.add(q.CommandTag.String())
	}
}

func (s *statements) TraceBatchEnd(context.Context, *pgx.Conn, pgx.TraceBatchEndData) {}

func (s *statements) add(tag string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if tag != "UPDATE 0" { // a look at the table that finds nothing
		s.did = append(s.did, tag)
	}
}

func (s *statements) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.did, ", ")
}

// traced returns db through a pool of its own whose statements are kept.
func traced(t *testing.T, db *postgres.DB) (*postgres.DB, *statements) {
	t.Helper()
	s := &statements{}
	cfg := db.Config()
	cfg.ConnConfig.Tracer = s
	pool, err := pgxpool.NewWithConfig(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return &postgres.DB{Pool: pool}, s
}

func TestAReplicaPublishesItsOwnMessagesFromMemory(t *testing.T) {
	t.Parallel()
	db, o := testkit.DB(t, outbox.Migrations()), outbox.New("orders")
	db, did := traced(t, db)
	var c collector
	testkit.Go(t, outbox.NewRelay(db, o, &c, testkit.Log(t)).Run)
	send(t, db, o, reserve(1), reserve(2), changed("order-3"))
	testkit.Until(t, "all is published and removed", func() bool { return c.count() == 3 && strings.Contains(did.String(), "DELETE") })
	if got := did.String(); got != "INSERT 0 3, DELETE 3" {
		t.Errorf("what was done to the outbox: %s", got)
	}
	for i, m := range c.all() {
		if want := fmt.Sprint("order-", i+1); m.Subject != want {
			t.Errorf("message %d is about %s, want %s: they keep their order", i, m.Subject, want)
		}
	}
}

func TestPublishingDoesNotWaitForRemovalsAndManyBatchesAreOneRemoval(t *testing.T) {
	t.Parallel()
	db, o := testkit.DB(t, outbox.Migrations()), outbox.New("orders")
	for _, statement := range []string{ // a removal waits while the test holds the lock
		`CREATE FUNCTION held() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_advisory_xact_lock_shared(1); RETURN old; END'`,
		`CREATE TRIGGER held BEFORE DELETE ON outbox EXECUTE FUNCTION held()`,
	} {
		if _, err := db.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	holder, err := db.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer holder.Release()
	if _, err := holder.Exec(t.Context(), `SELECT pg_advisory_lock(1)`); err != nil {
		t.Fatal(err)
	}
	var c collector
	relays, did := traced(t, db)
	testkit.Go(t, outbox.NewRelay(relays, o, &c, testkit.Log(t)).Run)
	send(t, db, o, reserve(1))
	testkit.Until(t, "the first is published, and its removal is held up", func() bool {
		var held bool
		if err := db.QueryRow(t.Context(), `
			SELECT EXISTS (
				SELECT FROM pg_locks
				WHERE locktype = 'advisory' AND NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))`).Scan(&held); err != nil {
			t.Fatal(err)
		}
		return held && c.count() == 1
	})
	for n := 2; n <= 4; n++ {
		send(t, db, o, reserve(n))
		testkit.Until(t, "what comes next is published meanwhile", func() bool { return c.count() == n })
	}
	if got := did.String(); got != "" || rows(t, db) != 4 {
		t.Errorf("nothing could be removed, and nothing had to be claimed; what was done to the outbox: %s", got)
	}
	if _, err := holder.Exec(t.Context(), `SELECT pg_advisory_unlock(1)`); err != nil {
		t.Fatal(err)
	}
	testkit.Until(t, "all are removed", func() bool { return rows(t, db) == 0 })
	testkit.Until(t, "the others with one statement", func() bool { return did.String() == "DELETE 1, DELETE 3" })
}

// leased counts the rows that were written with a lease, and those without.
func leased(t *testing.T, db *postgres.DB) (with, without int) {
	t.Helper()
	err := db.QueryRow(t.Context(), `
		SELECT count(*) FILTER (WHERE due_at - created_at > interval '4 s'), count(*) FILTER (WHERE due_at - created_at <= interval '4 s')
		FROM outbox`).Scan(&with, &without)
	if err != nil {
		t.Fatal(err)
	}
	return with, without
}

func many(from, n int) []messages.Message {
	msgs := make([]messages.Message, n)
	for i := range msgs {
		msgs[i] = reserve(from + i)
	}
	return msgs
}

func TestMemoryIsBoundedAndTheOtherMessagesGoByTheTable(t *testing.T) {
	t.Parallel()
	db, o := testkit.DB(t, outbox.Migrations()), outbox.New("orders")
	changedMyMind := errors.New("changed my mind")
	for range 3 { // a rolled-back transaction gives its room back
		err := db.Tx(t.Context(), func(tx *postgres.Tx) error {
			return errors.Join(o.Deliver(t.Context(), tx, many(0, 1500)...), changedMyMind)
		})
		if !errors.Is(err, changedMyMind) {
			t.Fatal(err)
		}
	}
	send(t, db, o, many(0, 1500)...)
	send(t, db, o, many(1500, 1500)...)
	send(t, db, o, many(3000, 500)...)
	if with, without := leased(t, db); with != 2000 || without != 1500 {
		t.Errorf("%d are kept in memory and %d only in the table", with, without)
	}
	var c collector
	stop := testkit.Go(t, outbox.NewRelay(db, o, &c, testkit.Log(t)).Run)
	testkit.Until(t, "all are published", func() bool { return rows(t, db) == 0 })
	stop()
	distinct := map[string]bool{}
	for _, m := range c.all() {
		distinct[m.ID] = true
	}
	if len(distinct) != 3500 {
		t.Errorf("%d messages are published", len(distinct))
	}
	send(t, db, o, many(0, 2000)...)
	if with, without := leased(t, db); with != 2000 || without != 0 {
		t.Errorf("%d are kept in memory and %d not, although there is room again", with, without)
	}
}

func TestMessagesOfADeadReplicaArePublishedByAnotherWhenTheirLeaseHasEnded(t *testing.T) {
	t.Parallel()
	db, o := testkit.DB(t, outbox.Migrations()), outbox.New("orders")
	var c collector
	other := outbox.NewRelay(db, outbox.New("orders"), &c, testkit.Log(t))
	begun := time.Now()
	send(t, db, o, reserve(1), reserve(2))
	if n, err := other.Sweep(t.Context()); (n != 0 || err != nil) && time.Since(begun) < 4*time.Second {
		t.Errorf("it takes %d messages of a replica that lives, %v", n, err)
	}
	testkit.Go(t, other.Run)
	testkit.Until(t, "it has published what was left behind", func() bool { return c.count() == 2 && rows(t, db) == 0 })

	// If the first replica was only slow, it does not publish messages that are no longer leased to it.
	var late collector
	stop := testkit.Go(t, outbox.NewRelay(db, o, &late, testkit.Log(t)).Run)
	send(t, db, o, reserve(3))
	testkit.Until(t, "it publishes something else", func() bool { return late.count() > 0 })
	stop()
	if got := late.all(); len(got) != 1 || got[0].Subject != "order-3" {
		t.Errorf("it has published %v", got)
	}
}

func TestARelayThatStopsPublishesTheLastMessages(t *testing.T) {
	t.Parallel()
	db, o := testkit.DB(t, outbox.Migrations()), outbox.New("orders")
	send(t, db, o, many(0, 450)...)
	var c collector
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := outbox.NewRelay(db, o, &c, testkit.Log(t)).Run(ctx); err != nil || c.count() != 450 || rows(t, db) != 0 {
		t.Errorf("%d published, %d left, %v", c.count(), rows(t, db), err)
	}
}

func TestARefusedMessageWaitsAloneAndItsErrorIsKept(t *testing.T) {
	t.Parallel()
	db, o := testkit.DB(t, outbox.Migrations()), outbox.New("orders")
	c := collector{fate: func(m bus.Message) error {
		if m.Subject == "order-2" {
			return errors.New("nobody takes it")
		}
		return nil
	}}
	testkit.Go(t, outbox.NewRelay(db, o, &c, testkit.Log(t)).Run)
	send(t, db, o, reserve(1), reserve(2), reserve(3))
	testkit.Until(t, "the others are published and removed", func() bool { return c.count() == 2 && rows(t, db) == 1 })
	testkit.Until(t, "its row says why", func() bool {
		var subject, why string
		var attempts int
		if err := db.QueryRow(t.Context(), `SELECT subject, last_error, attempts FROM outbox`).Scan(&subject, &why, &attempts); err != nil {
			t.Fatal(err)
		}
		return subject == "order-2" && why == "nobody takes it" && attempts > 0
	})
}

// The broker closes the channel over one message, and does not say over which.
func TestAMessageThatTheBrokerDoesNotAllowIsFoundAndStopsNoOther(t *testing.T) {
	t.Parallel()
	db, v, o := testkit.DB(t, outbox.Migrations()), testkit.NewVhost(t), outbox.New("orders")
	url, err := v.CreateUser(t.Context(), v.Name, servers.BrokerUser{
		Name: "orders-" + v.Name, Password: "secret", Configure: ".*", Write: `^(orderflow\.events|nowhere)$`, Read: ".*",
	})
	if err != nil {
		t.Fatal(err)
	}
	b, err := bus.NewBroker(url, "orders", testkit.Log(t))
	if err != nil {
		t.Fatal(err)
	}
	p := b.NewPublisher()
	testkit.Go(t, p.Run)
	testkit.Until(t, "there is a session", b.Connected)
	v.Tap("tap", bus.Events, "#")
	// Messages of a replica that has died, one of them to an exchange that no longer exists.
	send(t, db, outbox.New("orders"), changed("before"), changed("lost"), changed("after"))
	if _, err := db.Exec(t.Context(), `UPDATE outbox SET due_at = now(), exchange = CASE subject WHEN 'lost' THEN 'nowhere' ELSE exchange END`); err != nil {
		t.Fatal(err)
	}
	testkit.Go(t, outbox.NewRelay(db, o, p, testkit.Log(t)).Run)
	// Messages from memory, one of them to an exchange that the service may not publish to.
	send(t, db, o, changed("before"), reserve(1), changed("after"))
	why := func(subject string) (text string) {
		if err := db.QueryRow(t.Context(), `SELECT coalesce((SELECT last_error FROM outbox WHERE subject = $1), '')`, subject).Scan(&text); err != nil {
			t.Fatal(err)
		}
		return text
	}
	testkit.Until(t, "the others are published and those are found", func() bool {
		return rows(t, db) == 2 && strings.Contains(why("lost"), "NOT_FOUND") && strings.Contains(why("order-1"), "ACCESS_REFUSED")
	})
	got := map[string]bool{}
	for d, ok := v.Get("tap"); ok; d, ok = v.Get("tap") {
		got[d.MessageId] = true
	}
	if len(got) != 4 {
		t.Errorf("%d other messages have arrived, want 4", len(got))
	}
}
