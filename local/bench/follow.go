package bench

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
)

// follower notices when orders end. It asks the database of orders with one statement for all orders that callers wait for,
// which costs the system less than one question for each.
type follower struct {
	conn *pgx.Conn
	own  atomic.Int64 // its own transactions, which PostgreSQL counts as well

	mu      sync.Mutex
	waiting map[string]chan string // by order; gets the final status

	over chan struct{} // closed when run has ended
	why  error         // the error of run; set before over is closed
}

// The interval between two questions adds half of it to each lap of the closed loop. It grows with the number of awaited
// orders, so that all questions together ask for at most 4000 orders a second, some hundredths of a core. Reported times until
// delivery come from delivered instead.
const (
	followEvery = 10 * time.Millisecond
	followEach  = time.Second / 4000
)

// newFollower connects as the superuser, so that its statements can be told from those of orders.
func newFollower(ctx context.Context, databases, name string) (*follower, error) {
	conn, err := connectTo(ctx, databases, name)
	if err != nil {
		return nil, err
	}
	return &follower{conn: conn, waiting: map[string]chan string{}, over: make(chan struct{})}, nil
}

// connectTo connects to a database of the server at an administrator's address.
func connectTo(ctx context.Context, administrator, database string) (*pgx.Conn, error) {
	config, err := pgx.ParseConfig(administrator)
	if err != nil {
		return nil, fmt.Errorf("address of PostgreSQL: %w", err)
	}
	config.Database = database
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("connect to the database %s: %w", database, err)
	}
	return conn, nil
}

// run asks until ctx ends or an error occurs, which all waiting callers get.
func (f *follower) run(ctx context.Context) {
	f.why = f.ask(ctx)
	close(f.over)
}

func (f *follower) ask(ctx context.Context) error {
	defer f.conn.Close(context.WithoutCancel(ctx)) //nolint:errcheck // it has only read
	for ids := []string(nil); pause(ctx, max(followEvery, time.Duration(len(ids))*followEach)) == nil; {
		f.mu.Lock()
		ids = make([]string, 0, len(f.waiting))
		for id := range f.waiting {
			ids = append(ids, id)
		}
		f.mu.Unlock()
		if len(ids) == 0 {
			continue
		}
		f.own.Add(1)
		rows, err := f.conn.Query(context.WithoutCancel(ctx), `
			SELECT id::text, status
			FROM orders
			WHERE id = ANY($1::uuid[]) AND status IN ('delivered', 'cancelled')`, ids)
		if err != nil {
			return fmt.Errorf("follow orders: %w", err)
		}
		var id, status string
		_, err = pgx.ForEachRow(rows, []any{&id, &status}, func() error {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.waiting[id] <- status
			delete(f.waiting, id)
			return nil
		})
		if err != nil {
			return fmt.Errorf("follow orders: %w", err)
		}
	}
	return nil
}

// wait returns when the order has ended. A final status other than delivered is an error.
func (f *follower) wait(ctx context.Context, id string) error {
	told := make(chan string, 1)
	f.mu.Lock()
	f.waiting[id] = told
	f.mu.Unlock()
	select {
	case status := <-told:
		if status != "delivered" {
			return fmt.Errorf("order %s is %s", id, status)
		}
		return nil
	case <-f.over:
		return cmp.Or(f.why, context.Canceled)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// delivered returns when the commit was made that set each order to delivered. Other orders are missing in the result.
func delivered(ctx context.Context, conn *pgx.Conn, ids []string) (map[string]time.Time, error) {
	rows, err := conn.Query(ctx, `
		SELECT order_id::text, pg_xact_commit_timestamp(xmin)
		FROM timeline
		WHERE order_id = ANY($1::uuid[]) AND status = 'delivered' AND pg_xact_commit_timestamp(xmin) IS NOT NULL`, ids)
	if err != nil {
		return nil, fmt.Errorf("read when orders were delivered: %w", err)
	}
	at := map[string]time.Time{}
	var id string
	var when time.Time
	_, err = pgx.ForEachRow(rows, []any{&id, &when}, func() error {
		if first, known := at[id]; !known || when.Before(first) {
			at[id] = when
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read when orders were delivered: %w", err)
	}
	return at, nil
}

// underWay counts the orders that have not ended.
func underWay(ctx context.Context, conn *pgx.Conn) (n int, err error) {
	if err := conn.QueryRow(ctx, `SELECT count(*) FROM orders WHERE status NOT IN ('delivered', 'cancelled')`).Scan(&n); err != nil {
		return 0, fmt.Errorf("count orders under way: %w", err)
	}
	return n, nil
}

// rest waits until no order is under way, and returns how long that took.
func rest(ctx context.Context, conn *pgx.Conn, within time.Duration) (time.Duration, error) {
	began := time.Now()
	for {
		n, err := underWay(ctx, conn)
		if err != nil {
			return 0, err
		}
		if n == 0 {
			return time.Since(began), nil
		}
		if time.Since(began) > within {
			return 0, fmt.Errorf("%d orders are still under way after %s", n, within)
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return 0, err
		}
	}
}
