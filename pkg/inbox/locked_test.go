package inbox_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"example.com/orderflow/pkg/bus"
	"example.com/orderflow/pkg/inbox"
	"example.com/orderflow/pkg/postgres"
	"example.com/orderflow/pkg/testkit"
)

func TestRefusedMessagesLeaveNothingBehindAndTheOthersAreCommitted(t *testing.T) {
	t.Parallel()
	db := testkit.DB(t, inbox.Migrations())
	in := setUp(t, db)
	batch := []bus.Delivery{delivery("a"), delivery("broken"), delivery("b"), delivery("never"), delivery("c"), delivery("later")}
	errs := in.Handle(t.Context(), batch)
	if errs[0] != nil || errs[1] == nil || errs[2] != nil || errs[3] == nil || errs[4] != nil || errs[5] == nil {
		t.Error(errs)
	}
	if n, got := known(t, db), effects(t, db); n != 3 || !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("%d ids are kept, effects %v", n, got)
	}
	if n := in.units.Load(); n != 1 {
		t.Errorf("%d transactions for messages of which the database had nothing to say", n)
	}
	if errs := in.Handle(t.Context(), nil); len(errs) != 0 || in.units.Load() != 1 {
		t.Errorf("no messages: %v, %d transactions", errs, in.units.Load())
	}
}

func TestTextThatTheDatabaseCannotStoreIsRejectedAlone(t *testing.T) {
	t.Parallel()
	db := testkit.DB(t, inbox.Migrations())
	in := setUp(t, db)
	errs := in.Handle(t.Context(), []bus.Delivery{delivery("a"), delivery("nul\x00"), delivery("b")})
	if errs[0] != nil || !bus.Rejected(errs[1]) || errs[2] != nil {
		t.Error(errs)
	}
	if n, got := known(t, db), effects(t, db); n != 2 || !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("%d ids are kept, effects %v", n, got)
	}
}

func TestTheSameMessageAtTwoReplicasAtTheSameTimeHasItsEffectOnce(t *testing.T) {
	t.Parallel()
	db := testkit.DB(t, inbox.Migrations())
	replicas := []*desk{setUp(t, db), newDesk(t, db), newDesk(t, db)}
	for range 10 {
		var batch []bus.Delivery
		for range 20 {
			batch = append(batch, delivery("one subject")) // so that each replica has them in the order in which they arrived there
		}
		var all sync.WaitGroup
		for i, in := range replicas {
			mine := slices.Clone(batch)
			if i == 1 {
				slices.Reverse(mine)
			}
			all.Go(func() {
				for _, err := range in.Handle(t.Context(), mine) {
					if err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
	}
	if n := len(effects(t, db)); n != 200 || known(t, db) != 200 {
		t.Errorf("%d effects of %d messages, want 200", n, known(t, db))
	}
	var deadlocks int
	if err := db.QueryRow(t.Context(), `SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()`).Scan(&deadlocks); err != nil || deadlocks != 0 {
		t.Errorf("%d deadlocks, %v", deadlocks, err)
	}
}

// impatient returns a database whose sessions wait for locks only for a moment.
func impatient(t *testing.T) *postgres.DB {
	t.Helper()
	db, err := postgres.Open(t.Context(), testkit.DatabaseURL(t)+"&lock_timeout=200ms", "test", testkit.Log(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	if err := postgres.Migrate(t.Context(), db, testkit.Log(t), inbox.Migrations()); err != nil {
		t.Fatal(err)
	}
	return db
}

// held keeps the locks of a statement until the returned function is called.
func held(t *testing.T, db *postgres.DB, statement string) (release func()) {
	t.Helper()
	tx, err := db.Begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
	return func() { _ = tx.Rollback(context.Background()) }
}

// A row is locked for longer than all attempts together take. The message waits, loses no attempt, and stops no other.
func TestAMessageAboutALockedRowWaitsAndLosesNoAttempt(t *testing.T) {
	t.Parallel()
	db, v := impatient(t), testkit.NewVhost(t)
	in := setUp(t, db)
	if _, err := db.Exec(t.Context(), `INSERT INTO locks VALUES ('b')`); err != nil {
		t.Fatal(err)
	}
	release := held(t, db, `SELECT FROM locks WHERE id = 'b' FOR UPDATE`)
	errs := in.Handle(t.Context(), []bus.Delivery{delivery("a"), delivery("b"), delivery("c")})
	if errs[0] != nil || errs[1] == nil || bus.Rejected(errs[1]) || bus.IsHold(errs[1]) || errs[2] != nil {
		t.Error(errs)
	}

	broker, err := bus.NewBroker(v.URL, "orders", testkit.Log(t))
	if err != nil {
		t.Fatal(err)
	}
	publisher := broker.NewPublisher()
	testkit.Go(t, publisher.Run)
	var mu sync.Mutex
	seen, worst := 0, 0 // deliveries, and the most attempts
	queue := bus.Queue{Service: "orders", Exchange: bus.Events, Kinds: in.Events(), Retries: []time.Duration{50 * time.Millisecond, 100 * time.Millisecond}}
	testkit.Go(t, broker.NewConsumer(queue, publisher, func(ctx context.Context, batch []bus.Delivery) []error {
		mu.Lock()
		for _, d := range batch {
			seen, worst = seen+1, max(worst, d.Attempt)
		}
		mu.Unlock()
		return in.Handle(ctx, batch)
	}).Run)
	testkit.Until(t, "the broker is connected", broker.Connected)
	var batch []bus.Message
	for _, about := range []string{"b", "d", "e"} {
		m := delivery(about).Message
		m.Exchange, m.Mandatory = bus.Events, true
		batch = append(batch, m)
	}
	for _, err := range publisher.Publish(t.Context(), batch) {
		if err != nil {
			t.Fatal(err)
		}
	}
	testkit.Until(t, "it has come more often than it may fail", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return seen >= 2+2*len(queue.Retries)+2 && len(effects(t, db)) == 4
	})
	release()
	testkit.Until(t, "all are handled", func() bool { return len(effects(t, db)) == 5 })
	mu.Lock()
	defer mu.Unlock()
	if worst != 1 || v.Depth(queue.Dead()) != 0 {
		t.Errorf("%d attempts were counted, %d dead letters", worst, v.Depth(queue.Dead()))
	}
}

func TestWhileATableIsLockedMessagesAreHeldAndLoseNoAttempt(t *testing.T) {
	t.Parallel()
	for _, lock := range []string{`LOCK locks`, `LOCK effects`, `LOCK inbox`} {
		t.Run(lock, func(t *testing.T) {
			t.Parallel()
			db := impatient(t)
			in := setUp(t, db)
			var batch []bus.Delivery
			for i := range 20 {
				batch = append(batch, delivery(fmt.Sprint(i)))
			}
			release := held(t, db, lock)
			for range 2 {
				for i, err := range in.Handle(t.Context(), batch) {
					if !bus.IsHold(err) {
						t.Errorf("message %d: %v", i, err)
					}
				}
			}
			if n := in.units.Load(); n != 2*3 {
				t.Errorf("it was tried %d times in 2 batches, want 3 each", n)
			}
			release()
			if errs := in.Handle(t.Context(), batch); !slices.Equal(errs, make([]error, 20)) || len(effects(t, db)) != 20 {
				t.Errorf("%v, %d effects", errs, len(effects(t, db)))
			}
		})
	}
}

// A program that is told to stop finishes the transaction that has begun, and holds the other messages.
func TestMessagesInHandWhenAProgramStopsAreHeldAndLoseNoAttempt(t *testing.T) {
	t.Parallel()
	db := testkit.DB(t, inbox.Migrations())
	setUp(t, db)
	ctx, stop := context.WithCancel(t.Context())
	units := 0
	in := inbox.New(db, testkit.Log(t), func() *booking {
		if units++; units == 2 { // the batch has been divided; this is its first message
			stop()
		}
		return &booking{}
	}, inbox.On(book))
	batch := []bus.Delivery{delivery("a"), delivery("b"), delivery("forbidden")}
	errs := in.Handle(ctx, batch)
	if errs[0] != nil || !bus.IsHold(errs[1]) || !bus.IsHold(errs[2]) {
		t.Error(errs)
	}
	if got := effects(t, db); !slices.Equal(got, []string{"a"}) {
		t.Errorf("effects %v", got)
	}
}
