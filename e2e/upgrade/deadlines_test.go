package upgrade

import (
	"bytes"
	"context"
	"slices"
	"testing"
	"time"

	"example.com/orderflow/e2e/stories"
	"example.com/orderflow/local/audit"
	"github.com/jackc/pgx/v5"
	amqp "github.com/rabbitmq/amqp091-go"
)

// patient are settings with which no deadline passes during the test.
var patient = map[string][]string{
	"simulator": settings["simulator"],
	"orders":    {"STEP_TIMEOUT=1h", "STEP_PATIENCE=1h", "DISPATCH_TIMEOUT=1h", "DISPATCH_PATIENCE=1h", "LONGEST_TIMEOUT=2h", "LONGEST_PATIENCE=2h", "TIMEOUT_TRIES=20", "PATIENCE_TRIES=20"},
}

// A deadline was a message from orders to itself, and is now a column (docs/adr/0038). In this test only deadlines help the
// orders: their commands are removed from the queue before a service reads them.
func TestOrdersWithDeadlinesOfThePreviousReleaseSendTheirCommandsAgain(t *testing.T) {
	t.Parallel()
	stories.Look(t)
	r := start(t, openHistory(t), patient)
	sku := r.Product(1000, 0, 0)
	place := func() string { return r.Place(stories.Wish{SKU: sku}) }

	t.Log("replicas of both releases side by side")
	r.stop("inventory")
	orders := []string{place(), place()}
	r.upgrade("orders", 1)
	stories.Until(r, "both replicas have accepted an order", func() bool {
		id := place()
		orders = append(orders, id)
		return len(orders) > 3 && r.yes("orders", `SELECT count(due_at) BETWEEN 1 AND count(*) - 1 FROM orders WHERE id = ANY($1::uuid[])`, orders[2:])
	})
	r.lose("inventory", orders...)
	r.pass(orders...)
	r.start("inventory")
	r.delivered(orders...)

	t.Log("one release after the other")
	r.stop("inventory", "payments")
	r.replace("orders", 1, r.previous)
	lost, moved := place(), place()
	r.lose("inventory", lost)
	r.upgrade("orders", 1, 2)
	if !r.yes("orders", `SELECT count(*) = 0 FROM orders WHERE id = ANY($1::uuid[]) AND due_at IS NOT NULL`, []string{lost, moved}) {
		t.Error("the release before has set a column")
	}
	r.upgrade("inventory", 1, 2)
	r.Reach(moved, "reserved")
	r.lose("payments", moved)
	r.void(moved)
	r.pass(lost, moved)
	r.Reach(lost, "reserved")
	stories.Until(r, "the deadline has passed that is a column", func() bool { return r.yes("orders", `SELECT passed = 1 FROM orders WHERE id = $1`, moved) })
	r.upgrade("payments", 1, 2)
	r.upgrade("shipping", 1, 2)
	r.delivered(lost, moved)

	orders = append(orders, lost, moved)
	report, err := audit.Await(t.Context(), audit.Of(r.System, r.repo), audit.Expectations{Accepted: orders}, rest)
	if err == nil {
		err = report.Err()
	}
	if err != nil {
		t.Error(err)
	}
}

// stop stops all replicas of services.
func (r running) stop(services ...string) {
	r.Helper()
	for _, service := range services {
		for _, p := range r.Named(service) {
			if err := p.Stop(); err != nil {
				r.Fatal(err)
			}
		}
	}
}

// start starts all replicas of a service again, as they were.
func (r running) start(service string) {
	r.Helper()
	for _, p := range r.Named(service) {
		if err := p.Start(r.Context()); err != nil {
			r.Fatal(err)
		}
	}
}

// replace replaces a replica by one of a release.
func (r running) replace(program string, number int, release string) {
	r.Helper()
	if err := r.Program(program, number).Replace(r.Context(), release); err != nil {
		r.Fatal(err)
	}
}

func (r running) upgrade(program string, numbers ...int) {
	r.Helper()
	for _, n := range numbers {
		r.replace(program, n, r.current)
	}
}

// delivered requires that orders end as delivered.
func (r running) delivered(orders ...string) {
	r.Helper()
	for _, id := range orders {
		if end := r.End(id); end.Status != "delivered" {
			r.Errorf("order %s is %s (%s)", id, end.Status, end.Reason)
		}
	}
}

// lose removes one command for each order from a service's queue while no consumer reads it. Other commands stay.
func (r running) lose(service string, orders ...string) {
	r.Helper()
	ch := stories.Channel(r, stories.Dial(r, r.RabbitURL(service)))
	var others []amqp.Delivery
	left := slices.Clone(orders)
	stories.Until(r, "all commands are in the queue", func() bool {
		for {
			d, found, err := ch.Get(service+".commands", false)
			if err != nil {
				r.Fatal(err)
			}
			if !found {
				return len(left) == 0
			}
			i := slices.IndexFunc(left, func(id string) bool { return bytes.Contains(d.Body, []byte(id)) })
			if i < 0 {
				others = append(others, d)
				continue
			}
			left = slices.Delete(left, i, i+1)
			if err := d.Ack(false); err != nil {
				r.Fatal(err)
			}
		}
	})
	for _, d := range others {
		if err := d.Nack(false, true); err != nil {
			r.Fatal(err)
		}
	}
}

// pass makes the deadlines of orders due, in both forms.
func (r running) pass(orders ...string) {
	r.Helper()
	r.ask("orders", func(ctx context.Context, db *pgx.Conn) error {
		_, err := db.Exec(ctx, `UPDATE orders SET due_at = now() WHERE id = ANY($1::uuid[]) AND due_at IS NOT NULL`, orders)
		if err == nil {
			_, err = db.Exec(ctx, `UPDATE outbox SET due_at = now() WHERE subject = ANY($1) AND kind = 'orders.check_progress'`, orders)
		}
		return err
	})
}

// void makes the deadline message of an order due; it must have no effect, because the order has moved on.
func (r running) void(order string) {
	r.Helper()
	var message string
	r.ask("orders", func(ctx context.Context, db *pgx.Conn) error {
		return db.QueryRow(ctx, `UPDATE outbox SET due_at = now() WHERE subject = $1 AND kind = 'orders.check_progress' RETURNING id::text`, order).Scan(&message)
	})
	stories.Until(r, "the message has arrived", func() bool { return r.yes("orders", `SELECT EXISTS (SELECT FROM inbox WHERE id = $1)`, message) })
	if !r.yes("orders", `SELECT passed = 0 AND due_at > now() + interval '10 minutes' FROM orders WHERE id = $1`, order) {
		r.Errorf("the message of an order that has moved on is not void")
	}
}

// yes reads a boolean from a service's database.
func (r running) yes(service, sql string, arg any) (answer bool) {
	r.Helper()
	r.ask(service, func(ctx context.Context, db *pgx.Conn) error { return db.QueryRow(ctx, sql, arg).Scan(&answer) })
	return answer
}

func (r running) ask(service string, what func(ctx context.Context, db *pgx.Conn) error) {
	r.Helper()
	ctx, cancel := context.WithTimeout(r.Context(), time.Minute)
	defer cancel()
	db, err := pgx.Connect(ctx, r.DatabaseURL(service))
	if err != nil {
		r.Fatal(err)
	}
	defer db.Close(ctx) //nolint:errcheck // it is no longer needed
	if err := what(ctx, db); err != nil {
		r.Fatal(err)
	}
}
