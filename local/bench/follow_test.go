package bench

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"example.com/orderflow/local/servers"
)

func TestAFollowerKnowsWhenOrdersEndAndPostgreSQLWhenTheyWereCommitted(t *testing.T) {
	t.Parallel()
	postgres, err := servers.StartPostgres(t.Context(), servers.Options{
		Dir: filepath.Join(t.TempDir(), "postgres"), Log: t.Output(), Settings: databaseSettings,
	})
	must(t, err)
	t.Cleanup(postgres.Kill)
	own, err := postgres.CreateDatabase(t.Context(), "orders", "secret")
	must(t, err)
	conn, err := connectTo(t.Context(), postgres.URL, "orders")
	must(t, err)
	t.Cleanup(func() { conn.Close(context.Background()) })
	const good, bad, never = "019aaaaa-0000-7000-8000-000000000001", "019aaaaa-0000-7000-8000-000000000002", "019aaaaa-0000-7000-8000-000000000003"
	do(t, conn, `
		CREATE TABLE orders (id uuid PRIMARY KEY, status text NOT NULL);
		CREATE TABLE timeline (order_id uuid, seq integer, status text, PRIMARY KEY (order_id, seq));
		INSERT INTO orders VALUES ('`+good+`', 'placed'), ('`+bad+`', 'placed'), ('`+never+`', 'placed')`)
	w, err := watch(t.Context(), postgres.URL)
	must(t, err)
	t.Cleanup(func() { w.close(context.Background()) })
	before, err := w.count(t.Context())
	must(t, err)

	f, err := newFollower(t.Context(), postgres.URL, "orders")
	must(t, err)
	life, end := context.WithCancel(t.Context())
	go f.run(life)
	ends := map[string]chan error{}
	for _, id := range []string{good, bad, never} {
		ended := make(chan error, 1)
		ends[id] = ended
		go func() { ended <- f.wait(t.Context(), id) }()
	}
	began := time.Now()
	do(t, conn, `BEGIN; UPDATE orders SET status = 'delivered' WHERE id = '`+good+`';
		INSERT INTO timeline VALUES ('`+good+`', 1, 'placed'), ('`+good+`', 2, 'delivered'); COMMIT`)
	if err := <-ends[good]; err != nil {
		t.Errorf("of an order that is delivered: %v", err)
	}
	do(t, conn, `UPDATE orders SET status = 'cancelled' WHERE id = '`+bad+`'`)
	if err := <-ends[bad]; err == nil || !strings.Contains(err.Error(), "cancelled") {
		t.Errorf("of an order that is cancelled: %v", err)
	}
	at, err := delivered(t.Context(), conn, []string{good, bad, never})
	if when := at[good]; err != nil || len(at) != 1 || when.Before(began.Add(-time.Millisecond)) || when.After(time.Now().Add(time.Millisecond)) {
		t.Errorf("delivered at %v, %v", at, err)
	}
	if n, err := underWay(t.Context(), conn); n != 1 || err != nil {
		t.Errorf("%d orders are under way, want 1; %v", n, err)
	}
	if _, err := rest(t.Context(), conn, time.Millisecond); err == nil {
		t.Error("a system with an order under way was at rest")
	}
	end()
	if err := <-ends[never]; !errors.Is(err, context.Canceled) {
		t.Errorf("the end of the follower is %v", err)
	}
	service, err := pgx.Connect(t.Context(), own)
	must(t, err)
	do(t, service, `BEGIN; SELECT 1; COMMIT`)
	must(t, service.Close(t.Context()))
	after, err := w.count(t.Context())
	must(t, err)
	if n := after.statements - before.statements; n != 1 {
		t.Errorf("%d statements were counted, want that of the service, and none of the benchmark's", n)
	}
}
