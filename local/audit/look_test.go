package audit

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime/metrics"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"example.com/orderflow/local/servers"
	"github.com/jackc/pgx/v5"
)

// id is the id of the n-th order. sqlID is the same in SQL.
func id(n int) string { return fmt.Sprintf("019a%04x-%04x-7000-8000-000000000000", n>>16, n&0xffff) }

const sqlID = `('019a' || lpad(to_hex(n), 8, '0') || '70008000000000000000')::uuid`

// history fills the databases with the given number of delivered orders, in the services' own tables.
var history = map[string]string{
	"orders": `
		INSERT INTO orders (id, customer_id, status, lines, total_amount, total_currency, shipping_address, payment_method,
			allow_backorder, payment, shipment, step, seq, created_at, updated_at)
		SELECT ` + sqlID + `, 'alice', 'delivered', '[{"sku": "MUG", "quantity": 1}]', 1000, 'EUR', '{}', 'tok_visa', false,
			'{"status": "taken", "amount": {"amount": 1000, "currency": "EUR"}}', json_build_object('tracking_number', 'SP' || n),
			5, 5, now(), now()
		FROM generate_series(1, $1) AS n;
		INSERT INTO timeline (order_id, seq, at, status, what)
		SELECT ` + sqlID + `, way.seq, now(), way.status, 'now ' || way.status
		FROM generate_series(1, $1) AS n,
			unnest('{placed,reserved,paid,shipped,delivered}'::text[]) WITH ORDINALITY AS way (status, seq);
		INSERT INTO idempotency_keys (customer_id, key, fingerprint, order_id, answer)
		SELECT 'alice', 'key ' || n, '', ` + sqlID + `, '{}' FROM generate_series(1, $1) AS n;
		INSERT INTO operator_log (order_id, at, operator, what, why)
		SELECT ` + sqlID + `, now(), 'olga', 'note', 'number ' || n FROM generate_series(1, least($1, 10)) AS n;
		INSERT INTO catalogue VALUES ('MUG', 1, 'Mug', 1000, 'EUR', true)`,
	"payments": `
		INSERT INTO payments (order_id, amount, currency, method, status, charge_id, origin, created_at, updated_at)
		SELECT ` + sqlID + `, 1000, 'EUR', 'tok_visa', 'taken', 'ch' || n, '{}', now(), now() FROM generate_series(1, $1) AS n`,
	"inventory": `
		INSERT INTO products (sku, name, description, image, price_amount, price_currency, available, reorder_point,
			reorder_quantity, retired, created_at, updated_at)
		VALUES ('MUG', 'Mug', '', '', 1000, 'EUR', 10, 0, 0, true, now(), now());
		INSERT INTO stock_movements (reference, sku, what, quantity, at) SELECT 'seed', 'MUG', 'initial', $1 + 10, now();
		INSERT INTO reservations (order_id, status, missing, created_at, updated_at)
		SELECT ` + sqlID + `, 'taken', '[]', now(), now() FROM generate_series(1, $1) AS n;
		INSERT INTO reservation_lines (order_id, sku, quantity)
		SELECT ` + sqlID + `, 'MUG', 1 FROM generate_series(1, $1) AS n;
		INSERT INTO stock_movements (reference, sku, what, quantity, at)
		SELECT ` + sqlID + `::text, 'MUG', 'taken', -1, now() FROM generate_series(1, $1) AS n`,
	"shipping": `
		INSERT INTO shipments (order_id, address, lines, status, tracking_number, stages, origin, created_at, updated_at)
		SELECT ` + sqlID + `, '{}', '[{"sku": "MUG", "quantity": 1}]', 'delivered', 'SP' || n, '[]', '{}', now(), now()
		FROM generate_series(1, $1) AS n`,
}

// past is a system at rest, with the given number of delivered orders.
func past(t *testing.T, orders int) Sources {
	t.Helper()
	postgres, err := servers.StartPostgres(t.Context(), servers.Options{Dir: t.TempDir(), Log: t.Output()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := postgres.Stop(); err != nil {
			t.Error(err)
		}
	})
	sources := Sources{Repo: "../..", Databases: map[string]string{}, Simulator: outside(t, orders)}
	sources.Broker = broker(t)
	for _, service := range services {
		url, err := postgres.CreateDatabase(t.Context(), service, "secret")
		if err != nil {
			t.Fatal(err)
		}
		sources.Databases[service] = url
		do(t, url, migrations(t, service))
		do(t, url, strings.ReplaceAll(history[service], "$1", strconv.Itoa(orders))+"; ANALYZE")
	}
	return sources
}

// migrations are those of the service itself, with the tables that it has from pkg.
func migrations(t *testing.T, service string) string {
	t.Helper()
	var all strings.Builder
	for _, folder := range []string{"../../pkg/outbox/migrations", "../../services/" + service + "/migrations"} {
		files, err := filepath.Glob(folder + "/*.sql")
		if err != nil || len(files) == 0 {
			t.Fatalf("%s: %d files, %v", folder, len(files), err)
		}
		for _, f := range files {
			text, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			all.Write(text)
		}
	}
	return strings.ReplaceAll(all.String(), " CONCURRENTLY", "") // not allowed in a transaction, and not needed for an empty table
}

func do(t *testing.T, url, sql string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	if _, err := conn.PgConn().Exec(t.Context(), sql).ReadAll(); err != nil {
		t.Fatalf("%v\n%s", err, sql)
	}
}

// outside simulates the provider, the carrier and the supplier. Their journals are not sorted by id.
func outside(t *testing.T, orders int) string {
	t.Helper()
	const stride = 7919 // a prime, so that each order is visited once
	nth := func(i int) int { return i*stride%orders + 1 }
	mux := http.NewServeMux()
	book := func(path string, size int, at func(i int) any) {
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			after, _ := strconv.Atoi(r.FormValue("after"))
			limit, _ := strconv.Atoi(r.FormValue("limit"))
			items := []any{}
			for i := after; i < min(after+limit, size); i++ {
				items = append(items, at(i))
			}
			_ = json.NewEncoder(w).Encode(map[string]any{"items": items})
		})
	}
	book("/provider/ledger", orders+1, func(i int) any {
		n := nth(i) // the index after the last is the first again: that order is charged twice
		return map[string]any{"seq": i + 1, "kind": "charge", "id": "ch" + strconv.Itoa(n), "key": id(n), "reference": id(n), "amount": 1000, "currency": "EUR", "at": began}
	})
	book("/carrier/journal", orders, func(i int) any {
		n := nth(i)
		return map[string]any{"reference": id(n), "status": "delivered", "tracking_number": "SP" + strconv.Itoa(n), "lines": []any{map[string]any{"sku": "MUG", "quantity": 1}}}
	})
	book("/supplier/journal", 0, nil)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL
}

// broker simulates RabbitMQ's management API with empty queues and a dead letter about the order that is charged twice.
func broker(t *testing.T) servers.Broker {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			_, _ = fmt.Fprintf(w, `[{"payload": "{}", "message_count": 0, "properties": {"message_id": "m1", "type": "a.b", "correlation_id": %q}}]`, id(1))
			return
		}
		queues := []servers.QueueDepth{{Name: "orders.events.dead", Messages: 1}}
		for _, service := range services {
			queues = append(queues, servers.QueueDepth{Name: service + ".commands"})
		}
		_ = json.NewEncoder(w).Encode(queues)
	}))
	t.Cleanup(server.Close)
	return servers.Broker{URL: "amqp://a:b@localhost/vhost", Management: strings.Replace(server.URL, "://", "://a:b@", 1)}
}

// The breaches must not depend on where a part ends. AUDIT_ORDERS=1000000 shows that the memory does not depend on the number
// of orders.
func TestTheBooksOfManyOrdersAreReadInParts(t *testing.T) {
	t.Parallel()
	orders, size := 1500, 100
	if n, err := strconv.Atoi(os.Getenv("AUDIT_ORDERS")); err == nil {
		orders, size = n, partOrders
	}
	sources := past(t, orders)
	peak := watch(t)
	start := time.Now()
	r, err := look(t.Context(), sources, Expectations{Accepted: []string{id(orders), id(1), id(orders + 1)}}, size)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s in %s, with a heap of %d MB at most", r.Summary(), time.Since(start).Round(time.Millisecond), peak()>>20)
	if most := uint64(150 << 20); peak() > most {
		t.Errorf("a heap of %d MB", peak()>>20)
	}
	var found []string
	for _, b := range r.Breaches {
		found = append(found, b.Subject+": "+b.Rule)
	}
	want := []string{
		id(1) + ": no order is charged twice", id(1) + ": a delivered order is charged its price", id(1) + ": payments and the provider agree to the cent",
		id(1) + ": no message is dead but those expected", id(orders+1) + ": an order that was accepted exists",
	}
	if r.Orders != orders || !slices.Equal(found, want) {
		t.Errorf("%d orders, and breaches\n%s\nwant\n%s", r.Orders, strings.Join(found, "\n"), strings.Join(want, "\n"))
	}
	told := map[string]int{}
	for _, note := range r.Stories[id(1)] {
		told[note.In]++
	}
	for in, times := range map[string]int{"orders": 2, "timeline": 5, "operators": 1, "payments": 1, "provider": 2, "inventory": 2, "shipping": 1, "carrier": 1, "orders.events.dead": 1} {
		if told[in] != times {
			t.Errorf("the story has %d notes from %s: %+v", told[in], in, r.Stories[id(1)])
		}
	}
	if noted := len(r.OperatorLog); noted != 10 || !strings.HasSuffix(r.OperatorLog[9].What, "olga, note: number 10") {
		t.Errorf("%d entries of the operators' log: %+v", noted, r.OperatorLog)
	}
	for _, result := range r.Rules {
		if perOrder := strings.HasPrefix(result.Rule, "a delivered order"); perOrder && result.Checked != orders {
			t.Errorf("%q was held against %d of %d orders", result.Rule, result.Checked, orders)
		}
	}
	if orders > 10*partOrders {
		return // they would not fit into memory
	}
	if all, err := Orders(t.Context(), sources); err != nil || len(all) != orders || len(all[0].Timeline) != 5 {
		t.Errorf("all orders at once are %d, %v", len(all), err)
	}
}

// watch measures the heap regularly. peak returns the largest value.
func watch(t *testing.T) (peak func() uint64) {
	t.Helper()
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	most, stop, ended := uint64(0), make(chan struct{}), make(chan struct{})
	look := func() {
		metrics.Read(sample)
		most = max(most, sample[0].Value.Uint64())
	}
	go func() {
		defer close(ended)
		for {
			look()
			select {
			case <-stop:
				return
			case <-time.After(20 * time.Millisecond):
			}
		}
	}()
	stopped := false
	return func() uint64 {
		if !stopped {
			stopped = true
			close(stop)
			<-ended
		}
		return most
	}
}
