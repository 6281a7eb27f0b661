package wire

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"example.com/orderflow/local/servers"
)

// Both ways must have done the same work at the end, so that they can be compared.
func TestBothWaysMoveEveryMessageOnceAndLeaveNothing(t *testing.T) {
	t.Parallel()
	options := start(t)
	for name, way := range map[string]Way{"batched": Batched, "single": Single} {
		t.Run(name, func(t *testing.T) {
			options.Way = way
			w, err := Start(t.Context(), options)
			if err != nil {
				t.Fatal(err)
			}
			defer w.Stop()
			const callers, each = 20, 10
			var all sync.WaitGroup
			for range callers {
				all.Go(func() {
					for range each {
						if err := place(t.Context(), w); err != nil {
							t.Error(err)
							return
						}
					}
				})
			}
			all.Wait()
			const orders = callers * each
			if n := w.Handled(); n != int64(orders*Hops) {
				t.Errorf("%d messages were handled, want %d", n, orders*Hops)
			}
			inboxes := 0
			for service, kinds := range map[string]int{"orders": 4, "inventory": 2, "payments": 1, "shipping": 1} {
				n := count(t, options.Databases[service], "inbox")
				if n != orders*kinds {
					t.Errorf("the inbox of %s has %d messages, want %d", service, n, orders*kinds)
				}
				inboxes += n
				if n := count(t, options.Databases[service], "state"); n != orders {
					t.Errorf("%s knows %d orders, want %d", service, n, orders)
				}
			}
			if inboxes != orders*Hops {
				t.Errorf("all inboxes have %d messages, want %d", inboxes, orders*Hops)
			}
			await(t, "every outbox is empty", func() bool {
				left := 0
				for _, service := range services {
					left += count(t, options.Databases[service], "outbox")
				}
				return left == 0
			})
		})
	}
}

func TestAMessageThatComesTwiceIsHandledOnce(t *testing.T) {
	t.Parallel()
	options := start(t)
	w, err := Start(t.Context(), options)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	s := w.services["payments"]
	order, err := uuid.NewV7()
	must(t, err)
	m, err := compose(order, 2, uuid.Nil)
	must(t, err)
	for i, want := range []int{1, 0} { // in another batch
		fresh, _, err := s.handle(t.Context(), []message{m})
		if err != nil || len(fresh) != want {
			t.Errorf("delivery %d: %d messages follow, want %d; %v", i+1, len(fresh), want, err)
		}
	}
	if left := distinct([]message{m, m}); len(left) != 1 { // in the same one
		t.Errorf("of a message that is twice in a batch %d are left", len(left))
	}
}

func place(ctx context.Context, w *Wire) error {
	id, err := w.Place(ctx)
	if err != nil {
		return err
	}
	return w.Ended(ctx, id)
}

// start runs servers for the test, which need not be durable.
func start(t *testing.T) Options {
	t.Helper()
	dir := t.TempDir()
	postgres, err := servers.StartPostgres(t.Context(), servers.Options{
		Dir: filepath.Join(dir, "postgres"), Log: t.Output(), Settings: map[string]string{"fsync": "off"},
	})
	must(t, err)
	t.Cleanup(postgres.Kill)
	rabbit, err := servers.StartRabbitMQ(t.Context(), servers.Options{Dir: filepath.Join(dir, "rabbitmq"), Log: t.Output()})
	must(t, err)
	t.Cleanup(rabbit.Kill)
	options := Options{Databases: map[string]string{}, Broker: rabbit.URL}
	for _, service := range services {
		options.Databases[service], err = postgres.CreateDatabase(t.Context(), service, "secret")
		must(t, err)
	}
	return options
}

func count(t *testing.T, database, table string) (n int) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), database)
	must(t, err)
	defer conn.Close(context.WithoutCancel(t.Context()))
	must(t, conn.QueryRow(t.Context(), fmt.Sprintf(`SELECT count(*) FROM %s`, table)).Scan(&n))
	return n
}

func await(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for range 600 {
		if holds() {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Errorf("still not: %s", what)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
