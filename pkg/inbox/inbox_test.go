package inbox_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"example.com/orderflow/pkg/bus"
	"example.com/orderflow/pkg/inbox"
	"example.com/orderflow/pkg/messages"
	"example.com/orderflow/pkg/postgres"
	"example.com/orderflow/pkg/testkit"
)

func TestMain(m *testing.M) { testkit.Main(m) }

var errBroken = errors.New("broken")

// booking is a unit of work that appends to a table, so each of its effects can be counted. A row that a message is about
// is locked, if there is one.
type booking struct {
	subjects []string
	effects  []string
}

func (w *booking) About(m messages.Message) { w.subjects = append(w.subjects, m.Subject()) }

func (w *booking) Load(ctx context.Context, tx *postgres.Tx) error {
	tx.Queue(`SELECT FROM locks WHERE id = ANY($1) ORDER BY id FOR UPDATE`, w.subjects)
	return tx.Flush(ctx)
}

func (w *booking) Save(_ context.Context, tx *postgres.Tx) error {
	if len(w.effects) > 0 {
		tx.Queue(`INSERT INTO effects (what) SELECT unnest($1::text[])`, w.effects)
	}
	return nil
}

func book(_ context.Context, w *booking, m messages.StockReleased) error {
	switch {
	case strings.HasPrefix(m.OrderID, "broken"):
		return errBroken
	case strings.HasPrefix(m.OrderID, "never"):
		return bus.Reject(errBroken)
	case strings.HasPrefix(m.OrderID, "later"):
		return bus.RetryIn(time.Second, errBroken)
	}
	w.effects = append(w.effects, m.OrderID)
	return nil
}

// desk is an inbox that books, and counts the transactions that it has begun.
type desk struct {
	*inbox.Inbox[*booking]
	units atomic.Int32
}

func newDesk(t *testing.T, db *postgres.DB) *desk {
	d := &desk{}
	d.Inbox = inbox.New(db, testkit.Log(t), func() *booking { d.units.Add(1); return &booking{} }, inbox.On(book))
	return d
}

func setUp(t *testing.T, db *postgres.DB) *desk {
	t.Helper()
	if _, err := db.Exec(t.Context(), `
		CREATE TABLE effects (n bigint GENERATED ALWAYS AS IDENTITY, what text NOT NULL CHECK (what <> 'forbidden'));
		CREATE TABLE locks (id text PRIMARY KEY)`); err != nil {
		t.Fatal(err)
	}
	return newDesk(t, db)
}

// known returns how many ids of messages are kept.
func known(t *testing.T, db *postgres.DB) (n int) {
	t.Helper()
	if err := db.QueryRow(t.Context(), `SELECT count(*) FROM inbox`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func effects(t *testing.T, db *postgres.DB) []string {
	t.Helper()
	rows, err := db.Query(t.Context(), `SELECT what FROM effects ORDER BY n`)
	if err != nil {
		t.Fatal(err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func delivery(about string) bus.Delivery {
	m := messages.StockReleased{OrderID: about}
	body, _ := json.Marshal(m)
	return bus.Delivery{Attempt: 1, Message: bus.Message{ID: uuid.Must(uuid.NewV7()).String(), Kind: m.Kind(), Body: body}}
}

func TestAMessageThatArrivesTwiceHasItsEffectOnce(t *testing.T) {
	t.Parallel()
	db := testkit.DB(t, inbox.Migrations())
	in := setUp(t, db)
	a, b := delivery("a"), delivery("b")
	for _, batch := range [][]bus.Delivery{{a}, {a}, {a, b, a, b}, {b}} {
		for i, err := range in.Handle(t.Context(), batch) {
			if err != nil {
				t.Errorf("delivery %d: %v", i, err)
			}
		}
	}
	if got := effects(t, db); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("effects %v, want each once", got)
	}
	shouted := a
	shouted.ID = strings.ToUpper(a.ID)
	if err := in.Handle(t.Context(), []bus.Delivery{shouted})[0]; err != nil || len(effects(t, db)) != 2 {
		t.Errorf("the same id in capitals: %v, effects %v", err, effects(t, db))
	}
}

func TestAMessageThatCannotBeHandledHarmsNoOtherInItsBatch(t *testing.T) {
	t.Parallel()
	db := testkit.DB(t, inbox.Migrations())
	in := setUp(t, db)
	batch := []bus.Delivery{delivery("a"), delivery("broken"), delivery("b"), delivery("never"), delivery("forbidden"), delivery("c"), delivery("later")}
	errs := in.Handle(t.Context(), batch)
	for i, ok := range []bool{true, false, true, false, false, true, false} {
		if (errs[i] == nil) != ok {
			t.Errorf("%s: %v", batch[i].Body, errs[i])
		}
	}
	if bus.Rejected(errs[1]) || !bus.Rejected(errs[3]) {
		t.Errorf("a failure is tried again (%v), a rejection is not (%v)", errs[1], errs[3])
	}
	if !bus.Rejected(errs[4]) {
		t.Errorf("what the database can never store is rejected: %v", errs[4])
	}
	if got := effects(t, db); !slices.Equal(got, []string{"a", "b", "c"}) {
		t.Errorf("effects %v", got)
	}
	batch[1] = bus.Delivery{Attempt: 2, Message: bus.Message{ID: batch[1].ID, Kind: batch[1].Kind, Body: []byte(`{"order_id":"mended"}`)}}
	if err := in.Handle(t.Context(), batch[1:2])[0]; err != nil {
		t.Errorf("a message that had failed is handled when it comes again: %v", err)
	}
}

func TestAMessageThatCannotBeReadIsRejectedBeforeAHandlerSeesIt(t *testing.T) {
	t.Parallel()
	db := testkit.DB(t, inbox.Migrations())
	in := inbox.New(db, testkit.Log(t), func() *booking { t.Error("a unit of work was opened"); return &booking{} },
		inbox.On(func(context.Context, *booking, messages.ReserveStock) error {
			t.Error("a handler was called")
			return nil
		}))
	good := `{"order_id":"o","lines":[{"sku":"A","quantity":1}]}`
	id := uuid.NewString()
	for _, c := range []struct{ name, id, kind, body string }{
		{"no id", "", "inventory.reserve_stock", good},
		{"an id that is none", "42", "inventory.reserve_stock", good},
		{"no kind", id, "", good},
		{"an unknown kind", id, "inventory.burn_stock", good},
		{"no body", id, "inventory.reserve_stock", ""},
		{"a body that is no JSON", id, "inventory.reserve_stock", "{"},
		{"a field of another type", id, "inventory.reserve_stock", `{"order_id":7}`},
		{"a quantity, and another in capitals", id, "inventory.reserve_stock", `{"order_id":"o","lines":[{"sku":"A","quantity":1,"Quantity":9}]}`},
		{"a quantity twice", id, "inventory.reserve_stock", `{"order_id":"o","lines":[{"sku":"A","quantity":1,"quantity":9}]}`},
		{"lines in capitals too", id, "inventory.reserve_stock", `{"order_id":"o","lines":[{"sku":"A","quantity":1}],"LINES":[{"sku":"A","quantity":9}]}`},
		{"leave to wait in capitals", id, "inventory.reserve_stock", `{"order_id":"o","lines":[{"sku":"A","quantity":1}],"Allow_Backorder":true}`},
		{"half a surrogate pair", id, "inventory.reserve_stock", `{"order_id":"o","lines":[{"sku":"\ud800","quantity":1}]}`},
		{"no UTF-8", id, "inventory.reserve_stock", "{\"order_id\":\"o\xff\",\"lines\":[{\"sku\":\"A\",\"quantity\":1}]}"},
		{"about nothing", id, "inventory.reserve_stock", `{"lines":[{"sku":"A","quantity":1}]}`},
		{"a negative quantity", id, "inventory.reserve_stock", `{"order_id":"o","lines":[{"sku":"A","quantity":-1}]}`},
	} {
		d := bus.Delivery{Attempt: 1, Message: bus.Message{ID: c.id, Kind: c.kind, Body: []byte(c.body)}}
		if err := in.Handle(t.Context(), []bus.Delivery{d})[0]; !bus.Rejected(err) {
			t.Errorf("%s: %v, want a rejection", c.name, err)
		}
	}
}

func TestWhileTheDatabaseIsAwayMessagesAreHeldAndLoseNoAttempt(t *testing.T) {
	t.Parallel()
	p := testkit.PrivatePostgres(t)
	db, err := postgres.Open(t.Context(), p.URL, "test", testkit.Log(t))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := postgres.Migrate(t.Context(), db, testkit.Log(t), inbox.Migrations()); err != nil {
		t.Fatal(err)
	}
	in := setUp(t, db)
	batch := []bus.Delivery{delivery("a"), delivery("b")}
	p.Kill()
	errs := in.Handle(t.Context(), batch)
	if !slices.ContainsFunc(errs, bus.IsHold) {
		t.Fatalf("without a database: %v, want the batch to be held", errs)
	}
	if err := p.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	testkit.Until(t, "the batch is handled", func() bool {
		errs := in.Handle(t.Context(), batch)
		return errs[0] == nil && errs[1] == nil
	})
	if got := effects(t, db); !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("effects %v", got)
	}
}

// The server is well, but refuses the service access to the database or to one of its tables.
func TestWhileTheDatabaseRefusesTheServiceMessagesAreHeldAndLoseNoAttempt(t *testing.T) {
	t.Parallel()
	for do, undo := range map[string]string{
		`ALTER ROLE %[1]s PASSWORD 'new'`:                           `ALTER ROLE %[1]s PASSWORD 'secret'`,
		`ALTER ROLE %[1]s NOLOGIN`:                                  `ALTER ROLE %[1]s LOGIN`,
		`ALTER DATABASE %[1]s ALLOW_CONNECTIONS false`:              `ALTER DATABASE %[1]s ALLOW_CONNECTIONS true`,
		`ALTER DATABASE %[1]s RENAME TO %[1]s_`:                     `ALTER DATABASE %[1]s_ RENAME TO %[1]s`,
		`REVOKE CONNECT ON DATABASE %[1]s FROM %[1]s`:               `GRANT CONNECT ON DATABASE %[1]s TO %[1]s`,
		`ALTER DATABASE %[1]s SET default_transaction_read_only=on`: `ALTER DATABASE %[1]s RESET ALL`,
	} {
		t.Run(do, func(t *testing.T) {
			t.Parallel()
			db := testkit.DB(t, inbox.Migrations())
			in := setUp(t, db)
			name := db.Config().ConnConfig.Database
			administer := func(statement string) {
				testkit.AsAdministrator(t, fmt.Sprintf(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '%s'`, name))
				testkit.AsAdministrator(t, fmt.Sprintf(statement, name))
			}
			batch := []bus.Delivery{delivery("a"), delivery("b")}
			administer(do)
			if errs := in.Handle(t.Context(), batch); !slices.ContainsFunc(errs, bus.IsHold) {
				t.Errorf("%v, want the batch to be held", errs)
			}
			administer(undo)
			testkit.Until(t, "the batch is handled", func() bool {
				errs := in.Handle(t.Context(), batch)
				return errs[0] == nil && errs[1] == nil
			})
			if got := effects(t, db); !slices.Equal(got, []string{"a", "b"}) {
				t.Errorf("effects %v", got)
			}
		})
	}
}

func TestMessagesAboutOneSubjectKeepTheirOrderAndSubjectsAreLockedInOneOrder(t *testing.T) {
	t.Parallel()
	db := testkit.DB(t, inbox.Migrations())
	setUp(t, db)
	if _, err := db.Exec(t.Context(), `INSERT INTO locks SELECT 's' || i FROM generate_series(0, 9) i`); err != nil {
		t.Fatal(err)
	}
	var stops []chan error
	for range 2 { // two replicas, with the same subjects in different orders
		replica, done := newDesk(t, db), make(chan error, 1)
		stops = append(stops, done)
		go func() {
			for range 20 {
				var batch []bus.Delivery
				for _, i := range rand.Perm(10) {
					batch = append(batch, delivery(fmt.Sprintf("s%d", i)))
				}
				for _, err := range replica.Handle(context.Background(), batch) {
					if err != nil {
						done <- err
						return
					}
				}
			}
			done <- nil
		}()
	}
	for _, done := range stops {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
	if n := len(effects(t, db)); n != 400 {
		t.Errorf("%d effects, want 400", n)
	}
	var deadlocks int
	if err := db.QueryRow(t.Context(), `SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()`).Scan(&deadlocks); err != nil || deadlocks != 0 {
		t.Errorf("%d deadlocks, %v", deadlocks, err)
	}
}

// With a real broker: messages are sent twice and arrive in any order at two replicas. Each has its effect once.
func TestDuplicatesInAnyOrderAtTwoReplicasHaveTheirEffectsOnce(t *testing.T) {
	t.Parallel()
	db, v := testkit.DB(t, inbox.Migrations()), testkit.NewVhost(t)
	setUp(t, db)
	broker, err := bus.NewBroker(v.URL, "orders", testkit.Log(t))
	if err != nil {
		t.Fatal(err)
	}
	publisher := broker.NewPublisher()
	testkit.Go(t, publisher.Run)
	for range 2 {
		in := newDesk(t, db)
		queue := bus.Queue{Service: "orders", Exchange: bus.Events, Kinds: in.Events(), Retries: bus.DefaultRetries}
		testkit.Go(t, broker.NewConsumer(queue, publisher, in.Handle).Run)
	}
	testkit.Until(t, "the broker is connected", broker.Connected)
	var batch []bus.Message
	const total = 300
	for i := range total {
		m := delivery(fmt.Sprintf("o%03d", i)).Message
		m.Exchange, m.Mandatory = bus.Events, true
		batch = append(batch, m, m)
	}
	rand.Shuffle(len(batch), func(i, j int) { batch[i], batch[j] = batch[j], batch[i] })
	for part := range slices.Chunk(batch, bus.MaxBatch) {
		for _, err := range publisher.Publish(t.Context(), part) {
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	testkit.Until(t, "all are handled", func() bool { return len(effects(t, db)) >= total && v.Depth("orders.events") == 0 })
	got := effects(t, db)
	slices.Sort(got)
	if len(got) != total || len(slices.Compact(got)) != total {
		t.Errorf("%d effects, want each of %d once", len(got), total)
	}
}
