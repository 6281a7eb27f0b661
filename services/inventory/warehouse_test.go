package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"example.com/orderflow/local/direct"
	"example.com/orderflow/pkg/bus"
	"example.com/orderflow/pkg/client"
	"example.com/orderflow/pkg/identity"
	"example.com/orderflow/pkg/inbox"
	"example.com/orderflow/pkg/messages"
	"example.com/orderflow/pkg/outbox"
	"example.com/orderflow/pkg/postgres"
	"example.com/orderflow/pkg/testkit"
	"example.com/orderflow/pkg/web"
)

func TestMain(m *testing.M) { testkit.Main(m) }

// fixture is inventory with a database of its own and without a broker. Tests put messages into its inbox and read its outbox.
type fixture struct {
	*testing.T
	*replica
	factory *factory
	server  *httptest.Server
	issuer  *identity.Issuer
}

// replica is one process of inventory.
type replica struct {
	db        *postgres.DB
	warehouse *warehouse
	inbox     *inbox.Inbox[*work]
}

func newFixture(t *testing.T, products ...product) *fixture {
	t.Helper()
	f := &fixture{T: t, factory: newFactory(t)}
	f.replica = f.newReplica(testkit.DB(t, outbox.Migrations(), inbox.Migrations(), postgres.Sub(name, migrations, "migrations")))
	issuer, err := identity.NewIssuer(bytes.Repeat([]byte{7}, 32), "orderflow", "orderflow")
	if err != nil {
		t.Fatal(err)
	}
	f.issuer = issuer
	s := web.New(web.Config{Name: name, Log: testkit.Log(t), Ready: f.db.Ping})
	f.warehouse.routes(s, web.Identify(issuer.Verifier()), web.Authenticate(issuer.Verifier(), identity.ScopeOperations))
	f.server = httptest.NewServer(s.Echo)
	t.Cleanup(f.server.Close)
	if err := f.warehouse.stockUp(t.Context(), products); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.audit)
	return f
}

func (f *fixture) newReplica(db *postgres.DB) *replica {
	log := testkit.Log(f.T)
	settings := supplierSettings{URLs: client.URLs{f.factory.URL}, Slots: 4}
	s := newHTTPSupplier(settings, log)
	s.client = client.New(client.Config{Name: "supplier", URLs: settings.URLs, Log: log, Timeout: 3 * time.Second, Retries: -1, RetryAmbiguous: true, BreakerDelay: 50 * time.Millisecond})
	w := newWarehouse(db, log, s, settings)
	return &replica{db, w, inbox.New(db, log, w.work, w.handlers()...)}
}

// another starts another replica on the same database.
func (f *fixture) another() *replica {
	f.Helper()
	db, err := postgres.Open(f.Context(), f.db.Config().ConnString(), "test", testkit.Log(f.T))
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(db.Close)
	return f.newReplica(db)
}

// goods returns a product that is not reordered.
func goods(sku string, units int) product { return seed(sku, sku, 100, units, 0, 0, "for a test") }

// coming puts units of a product on order, so that orders can wait for them.
func (f *fixture) coming(sku string, units int) {
	f.Helper()
	_, err := f.db.Exec(f.Context(), `
		WITH placed AS (
			INSERT INTO supplier_orders (id, sku, quantity, status, due_at, created_at, updated_at)
			VALUES (gen_random_uuid(), $1, $2, 'ordered', 'infinity', now(), now()))
		UPDATE products
		SET on_order = on_order + $2
		WHERE sku = $1`, sku, units)
	if err != nil {
		f.Fatal(err)
	}
}

// receive delivers messages as the bus would, each under a new id. All must be handled.
func (f *fixture) receive(msgs ...messages.Message) {
	f.Helper()
	for _, m := range msgs {
		if err := f.inbox.Handle(context.Background(), []bus.Delivery{letter(m)})[0]; err != nil {
			f.Fatalf("%s: %v", m.Kind(), err)
		}
	}
}

// letter puts a message into an envelope of its own.
func letter(m messages.Message) bus.Delivery {
	body, _ := json.Marshal(m)
	return bus.Delivery{Attempt: 1, Message: bus.Message{ID: uuid.Must(uuid.NewV7()).String(), Kind: m.Kind(), Body: body}}
}

func newOrder() string { return uuid.Must(uuid.NewV7()).String() }

// reserve returns a command for an order with lines: SKU, quantity, SKU, quantity …
func reserve(order string, lines ...any) messages.ReserveStock {
	m := messages.ReserveStock{OrderID: order}
	for i := 0; i < len(lines); i += 2 {
		m.Lines = append(m.Lines, messages.Line{SKU: lines[i].(string), Quantity: lines[i+1].(int)})
	}
	return m
}

// backorder is reserve for an order that may wait.
func backorder(order string, lines ...any) messages.ReserveStock {
	m := reserve(order, lines...)
	m.AllowBackorder = true
	return m
}

// sent returns the messages in the outbox about an order or a product, as kind and body, in order.
func (f *fixture) sent(about string) string {
	f.Helper()
	rows, err := f.db.Query(context.Background(), `
		SELECT replace(kind, 'inventory.', '') || CASE WHEN body->'missing' IS NULL THEN '' ELSE (body->'missing')::text END
		FROM outbox
		WHERE subject = $1 AND kind <> 'inventory.product_changed'
		ORDER BY id`, about)
	if err != nil {
		f.Fatal(err)
	}
	kinds, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		f.Fatal(err)
	}
	return strings.Join(kinds, " ")
}

// status returns the status of an order's reservation.
func (f *fixture) status(order string) (s status) {
	f.Helper()
	w := f.warehouse.work()
	w.reservations.Name(order)
	if err := f.db.Tx(context.Background(), func(tx *postgres.Tx) error { return w.Load(context.Background(), tx) }); err != nil {
		f.Fatal(err)
	}
	r, _ := w.reservations.Get(order)
	return r.Status
}

// numbers returns four numbers of a product: available, reserved, backordered, on order.
func (f *fixture) numbers(sku string) [4]int {
	f.Helper()
	p, err := readProduct(context.Background(), f.db, sku)
	if err != nil {
		f.Fatal(err)
	}
	return [4]int{p.Stock.Available, p.Stock.Reserved, p.Stock.Backordered, p.Stock.OnOrder}
}

func (f *fixture) want(sku string, available, reserved, backordered, onOrder int) {
	f.Helper()
	if got, want := f.numbers(sku), [4]int{available, reserved, backordered, onOrder}; got != want {
		f.Errorf("%s: available, reserved, backordered, on order are %v, want %v", sku, got, want)
	}
}

// audit compares the numbers of every product with the ledger, the reservations and the supplier orders, and looks for orders
// that wait for units that are there. It runs at the end of each test.
func (f *fixture) audit() {
	f.Helper()
	rows, err := f.db.Query(context.Background(), `
		SELECT sku, available + reserved, reserved, backordered, backordered, on_order,
			(SELECT coalesce(sum(quantity), 0)::bigint FROM stock_movements AS m WHERE m.sku = p.sku),
			(SELECT coalesce(sum(quantity), 0)::bigint FROM reservation_lines AS l JOIN reservations USING (order_id) WHERE l.sku = p.sku AND status = 'reserved'),
			(SELECT coalesce(sum(quantity), 0)::bigint FROM reservation_lines AS l JOIN reservations USING (order_id) WHERE l.sku = p.sku AND status = 'backordered'),
			(SELECT coalesce(sum(quantity), 0)::bigint FROM reservation_lines AS l WHERE l.sku = p.sku AND place IS NOT NULL),
			(SELECT coalesce(sum(quantity), 0)::bigint FROM supplier_orders AS o WHERE o.sku = p.sku AND status <> 'arrived')
		FROM products AS p`)
	if err != nil {
		f.Fatal(err)
	}
	var sku string
	var is, must [5]int
	_, err = pgx.ForEachRow(rows, []any{&sku, &is[0], &is[1], &is[2], &is[3], &is[4], &must[0], &must[1], &must[2], &must[3], &must[4]}, func() error {
		if is != must {
			f.Errorf("%s: on hand, reserved, backordered, in the queue and on order are %v, by the books %v", sku, is, must)
		}
		return nil
	})
	if err != nil {
		f.Fatal(err)
	}
	err = f.db.Tx(context.Background(), func(tx *postgres.Tx) error {
		all, err := readProducts(context.Background(), tx, listing{Sort: "sku", Limit: 1_000_000})
		if err != nil {
			return err
		}
		s := shelf{}
		for _, p := range all {
			s[p.SKU] = &p.Stock
		}
		available := s.contended()
		if len(available) == 0 {
			return nil
		}
		var queue []waiting
		readQueues(tx, available, func(next waiting) { queue = append(queue, next) })
		err = tx.Flush(context.Background())
		if served := s.serve(queue); len(served) > 0 {
			f.Errorf("%v wait for what is there", served)
		}
		return err
	})
	if err != nil {
		f.Fatal(err)
	}
}

// answer is an HTTP response.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a answer) into(t *testing.T, v any) {
	t.Helper()
	if err := json.Unmarshal(a.body, v); err != nil {
		t.Fatalf("%s: %v", a.body, err)
	}
}

type option func(*http.Request)

func header(name, value string) option { return func(r *http.Request) { r.Header.Set(name, value) } }

func (f *fixture) as(who string) option {
	scopes := []string{identity.ScopeOrders}
	if who == "olga" || who == "otto" {
		scopes = append(scopes, identity.ScopeOperations)
	}
	token, err := f.issuer.Token(who, scopes, time.Hour)
	if err != nil {
		f.Fatal(err)
	}
	return header("Authorization", "Bearer "+token)
}

func (f *fixture) call(method, path, body string, options ...option) answer {
	f.Helper()
	r, err := http.NewRequestWithContext(context.Background(), method, f.server.URL+path, strings.NewReader(body))
	if err != nil {
		f.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, o := range options {
		o(r)
	}
	response, err := direct.Client.Do(r)
	if err != nil {
		f.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // read to its end
	got, err := io.ReadAll(response.Body)
	if err != nil {
		f.Fatal(err)
	}
	return answer{response.StatusCode, response.Header, got}
}
