package bench

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"example.com/orderflow/local/servers"
	"example.com/orderflow/local/system"
)

// All tests of these statements share one server, because its start takes seconds.
func TestThePast(t *testing.T) {
	t.Parallel()
	postgres, err := servers.StartPostgres(t.Context(), servers.Options{
		Dir: filepath.Join(t.TempDir(), "postgres"), Log: t.Output(), Settings: map[string]string{"fsync": "off", "track_commit_timestamp": "on"},
	})
	must(t, err)
	t.Cleanup(postgres.Kill)
	_, err = postgres.CreateDatabase(t.Context(), "orders", "secret")
	must(t, err)
	conn, err := connectTo(t.Context(), postgres.URL, "orders")
	must(t, err)
	t.Cleanup(func() { conn.Close(context.Background()) })
	const id = "019aaaaa-0000-7000-8000-000000000001"
	do(t, conn, `
		CREATE TABLE inbox (id uuid NOT NULL, received_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (id, received_at)) PARTITION BY RANGE (received_at);
		CREATE TABLE inbox_now PARTITION OF inbox DEFAULT;
		CREATE TABLE outbox (id uuid PRIMARY KEY, body json NOT NULL);
		CREATE TABLE orders (
			id uuid PRIMARY KEY, n bigint GENERATED ALWAYS AS IDENTITY, customer_id text NOT NULL, lines jsonb NOT NULL,
			note text NOT NULL, due_at timestamptz, total bigint NOT NULL, twice bigint GENERATED ALWAYS AS (2 * total) STORED
		);
		CREATE TABLE timeline (order_id uuid REFERENCES orders, seq integer, PRIMARY KEY (order_id, seq));
		CREATE TABLE idempotency_keys (customer_id text, key text, answer json, PRIMARY KEY (customer_id, key));
		CREATE TABLE movements (reference text PRIMARY KEY, quantity bigint);
		CREATE TABLE products (sku text PRIMARY KEY);
		CREATE TABLE goose_orders (version_id bigint);
		INSERT INTO products VALUES ('MUG');
		INSERT INTO orders (id, customer_id, lines, note, total) VALUES ('`+id+`', 'alice', '[{"sku": "O''NEIL\\ \"x\""}]', 'it''s a \ $1 ', 7);
		INSERT INTO timeline VALUES ('`+id+`', 1), ('`+id+`', 2);
		INSERT INTO idempotency_keys VALUES ('alice', 'k1', '{"id": "`+id+`", "customer_id": "alice"}');
		INSERT INTO movements VALUES ('`+id+`', -1), ('019aaaaa-0000-7000-8000-000000000002', 5);
		INSERT INTO outbox VALUES ('`+id+`', '{}')`)
	r := &rig{tell: t.Logf}
	r.System = &system.System{Databases: postgres.Databases}

	t.Run("is copies of an order in all tables that know it", func(t *testing.T) {
		must(t, r.copyOne(t.Context(), "orders", id, 500, 3))
		for query, want := range map[string]string{
			`SELECT count(*) FROM orders`: "501",
			`SELECT count(DISTINCT id) FROM orders WHERE id BETWEEN '` + pastMin + `' AND '` + pastMax + `'`:                                                                             "500",
			`SELECT count(*) FROM orders WHERE note = 'it''s a \ $1 ' AND twice = 14 AND due_at IS NULL`:                                                                                 "501",
			`SELECT count(DISTINCT lines) FROM orders`:                                                                                                                                   "1",
			`SELECT count(DISTINCT customer_id) FROM orders`:                                                                                                                             "501",
			`SELECT bool_and(id::text > before)::text FROM (SELECT id, lag(id::text) OVER (ORDER BY n) AS before FROM orders WHERE id < '` + pastMax + `') AS o`:                         "true",
			`SELECT count(*) FROM timeline JOIN orders ON id = order_id`:                                                                                                                 "1002",
			`SELECT count(*) FROM idempotency_keys AS k JOIN orders AS o ON o.id::text = answer ->> 'id' AND o.customer_id = k.customer_id AND k.customer_id = answer ->> 'customer_id'`: "501",
			`SELECT count(DISTINCT key) FROM idempotency_keys`:                                                                                                                           "501",
			`SELECT count(*) FROM movements JOIN orders ON id::text = reference`:                                                                                                         "501",
			`SELECT count(DISTINCT id) FROM inbox`:                                                                                                                                       "1500",
			`SELECT count(*) FROM outbox`:                                                                                                                                                "1",
			`SELECT count(*) FROM products`:                                                                                                                                              "1",
		} {
			if got := ask(t, conn, query); got != want {
				t.Errorf("%s: %s, want %s", query, got, want)
			}
		}
	})
	t.Run("is not among what the auditor is shown", func(t *testing.T) {
		for range 2 { // it can be repeated
			must(t, pgx.BeginFunc(t.Context(), conn, func(pgx.Tx) error { return copyPresent(t.Context(), conn, "orders") }))
		}
		for table, want := range map[string]string{"orders": "1", "timeline": "2", "movements": "2", "idempotency_keys": "1", "products": "1", "outbox": "1"} {
			where := presentSchema + "." + table
			if there := ask(t, conn, `SELECT (to_regclass('`+where+`') IS NOT NULL)::text`); there == "false" {
				where = "public." + table // the table has no orders of the past
			}
			if got := ask(t, conn, `SELECT count(*) FROM `+where); got != want && table != "idempotency_keys" {
				t.Errorf("%s has %s rows, want %s", where, got, want)
			}
		}
		do(t, conn, `SET ROLE orders`)
		defer do(t, conn, `RESET ROLE`)
		if got := ask(t, conn, `SELECT count(*) FROM (SELECT o.n FROM present.orders AS o JOIN present.timeline ON order_id = o.id GROUP BY o.id) AS grouped`); got != "1" {
			t.Errorf("the role of the service reads %s orders, grouped by a key", got)
		}
	})
	t.Run("is refused where the benchmark does not know what to write", func(t *testing.T) {
		do(t, conn, `ALTER TABLE inbox ADD COLUMN surprise text; UPDATE inbox SET surprise = ''; ALTER TABLE inbox ALTER COLUMN surprise SET NOT NULL`)
		if err := r.copyOne(t.Context(), "orders", id, 1, 3); err == nil || !strings.Contains(err.Error(), "inbox.surprise") {
			t.Errorf("the error is %v", err)
		}
		if err := r.copyOne(t.Context(), "orders", "019aaaaa-0000-7000-8000-00000000ffff", 1, 0); err == nil || !strings.Contains(err.Error(), "no table") {
			t.Errorf("of an order that nobody knows: %v", err)
		}
	})
}

func do(t *testing.T, conn *pgx.Conn, sql string) {
	t.Helper()
	if _, err := conn.PgConn().Exec(context.WithoutCancel(t.Context()), sql).ReadAll(); err != nil {
		t.Fatalf("%v in %s", err, sql)
	}
}

func ask(t *testing.T, conn *pgx.Conn, sql string) string {
	t.Helper()
	var answer any
	must(t, conn.QueryRow(t.Context(), sql).Scan(&answer))
	return fmt.Sprint(answer)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
