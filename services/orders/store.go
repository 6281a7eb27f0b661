package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"example.com/orderflow/pkg/fault"
	"example.com/orderflow/pkg/postgres"
	"example.com/orderflow/pkg/unit"
)

// orderTable has the columns of orders.
var orderTable = postgres.NewTable(func(o *order, column postgres.Column) {
	column("id uuid", &o.ID)
	column("customer_id text fixed", &o.CustomerID)
	column("status text", &o.Status)
	column("reason text", &o.Reason)
	column("lines jsonb fixed", &o.Lines)
	column("total_amount bigint fixed", &o.Total.Amount)
	column("total_currency text fixed", &o.Total.Currency)
	column("shipping_address jsonb fixed", &o.ShippingAddress)
	column("payment_method text fixed", &o.PaymentMethod)
	column("allow_backorder boolean fixed", &o.AllowBackorder)
	column("payment jsonb", &o.Payment)
	column("shipment jsonb", &o.Shipment)
	column("step integer", &o.Step)
	column("seq integer", &o.Seq)
	column("due_at timestamptz", &o.DueAt)
	column("passed integer", &o.Passed)
	column("attention_since timestamptz", &o.AttentionSince)
	column("trace_parent text fixed", &o.TraceParent)
	column("created_at timestamptz fixed", &o.CreatedAt)
	column("updated_at timestamptz", &o.UpdatedAt)
})

var errNoOrder = fault.New(fault.NotFound, "there is no such order")

// readOrder returns an order. The error is errNoOrder when there is none.
func readOrder(ctx context.Context, db *postgres.DB, id string) (order, error) {
	o, err := postgres.ReadOne(ctx, db, orderTable.Scan, `
		SELECT `+orderTable.Columns+`
		FROM orders
		WHERE id = $1`, id)
	if errors.Is(err, pgx.ErrNoRows) {
		return order{}, errNoOrder
	}
	if err != nil {
		return order{}, fmt.Errorf("read order: %w", err)
	}
	return o, nil
}

// loadOrders queues the query that locks and reads the named orders: no other transaction can change them until tx has ended.
func loadOrders(tx *postgres.Tx, orders *unit.Rows[string, order]) {
	ids := orders.Named()
	if len(ids) == 0 {
		return
	}
	postgres.Rows(tx, orderTable.Scan, func(o order) { orders.Loaded(o.ID, o) }, `
		SELECT `+orderTable.Columns+`
		FROM orders
		WHERE id = ANY($1::uuid[])
		ORDER BY id
		FOR UPDATE`, ids)
}

// ordersOf returns a customer's orders that were placed before the one with id before, newest first. An empty before means all.
func ordersOf(ctx context.Context, db *postgres.DB, customer, before string, limit int) ([]order, error) {
	orders, err := postgres.Read(ctx, db, orderTable.Scan, `
		SELECT `+orderTable.Columns+`
		FROM orders
		WHERE customer_id = $1 AND id < $2
		ORDER BY id DESC
		LIMIT $3`, customer, cmp.Or(before, uuid.Max.String()), limit)
	if err != nil {
		return nil, fmt.Errorf("read orders: %w", err)
	}
	return orders, nil
}

// ordersThatNeedAttention returns the orders that need attention, those first that have needed it longest. The list begins
// after the given time and id.
func ordersThatNeedAttention(ctx context.Context, db *postgres.DB, since time.Time, id string, limit int) ([]order, error) {
	orders, err := postgres.Read(ctx, db, orderTable.Scan, `
		SELECT `+orderTable.Columns+`
		FROM orders
		WHERE attention_since >= $1 AND (attention_since, id) > ($1, $2)
		ORDER BY attention_since, id
		LIMIT $3`, since, id, limit)
	if err != nil {
		return nil, fmt.Errorf("read orders that need attention: %w", err)
	}
	return orders, nil
}

// saveOrders queues the statements that write new orders and orders that have changed.
func saveOrders(tx *postgres.Tx, orders *unit.Rows[string, order]) {
	added, changed := orders.Changes()
	if len(added) > 0 {
		tx.Queue(`
			INSERT INTO orders (`+orderTable.Columns+`)
			SELECT *
			FROM `+orderTable.Rows, orderTable.Values(added)...)
	}
	if len(changed) > 0 {
		tx.Queue(`
			UPDATE orders AS o
			SET `+orderTable.Set+`
			FROM `+orderTable.Changes+`
			WHERE o.id = n.id`, orderTable.Changed(changed)...)
	}
}

// timelineTable has the columns of timeline.
var timelineTable = postgres.NewTable(func(d *dated, column postgres.Column) {
	column("order_id uuid", &d.OrderID)
	column("seq integer", &d.Seq)
	column("at timestamptz", &d.At)
	column("status text", &d.Status)
	column("event text", &d.Event)
	column("what text", &d.What)
	column("operator text", &d.Operator)
	column("why text", &d.Why)
})

func scanEntry(row pgx.CollectableRow) (entry, error) {
	d, err := timelineTable.Scan(row)
	if d.Event == "" {
		d.Event = eventOfText(d.What)
	}
	return d.entry, err
}

// timelineOf returns an order's timeline, oldest first.
func timelineOf(ctx context.Context, db *postgres.DB, id string) ([]entry, error) {
	entries, err := postgres.Read(ctx, db, scanEntry, `
		SELECT `+timelineTable.Columns+`
		FROM timeline
		WHERE order_id = $1
		ORDER BY seq`, id)
	if err != nil {
		return nil, fmt.Errorf("read timeline: %w", err)
	}
	return entries, nil
}

// insertTimeline queues the statement that adds entries to timelines.
func insertTimeline(tx *postgres.Tx, entries []dated) {
	if len(entries) == 0 {
		return
	}
	tx.Queue(`
		INSERT INTO timeline (`+timelineTable.Columns+`)
		SELECT *
		FROM `+timelineTable.Rows, timelineTable.Values(entries)...)
}

// overdueOrders returns orders whose deadline has passed, the oldest deadline first.
func overdueOrders(ctx context.Context, db *postgres.DB, now time.Time, limit int) ([]string, error) {
	ids, err := postgres.Planned(ctx, db, pgx.RowTo[string], `
		SELECT id
		FROM orders
		WHERE due_at <= $1
		ORDER BY due_at
		LIMIT $2`, now, limit)
	if err != nil {
		return nil, fmt.Errorf("read deadlines: %w", err)
	}
	return ids, nil
}

// remembered is the answer that was given for an idempotency key.
type remembered struct {
	CustomerID  string
	Key         string
	Fingerprint []byte
	OrderID     string
	Answer      []byte
}

// keyOf identifies a customer's idempotency key in a unit of work.
func keyOf(customer, key string) string { return customer + "\x00" + key }

// rememberedTable has the columns of idempotency_keys.
var rememberedTable = postgres.NewTable(func(r *remembered, column postgres.Column) {
	column("customer_id text", &r.CustomerID)
	column("key text", &r.Key)
	column("fingerprint bytea", &r.Fingerprint)
	column("order_id uuid", &r.OrderID)
	column("answer json", &r.Answer)
})

// loadRemembered queues the query for the answers of the named keys.
func loadRemembered(tx *postgres.Tx, keys *unit.Rows[string, remembered]) {
	named := keys.Named()
	if len(named) == 0 {
		return
	}
	customers, own := make([]string, len(named)), make([]string, len(named))
	for i, name := range named {
		customers[i], own[i], _ = strings.Cut(name, "\x00")
	}
	postgres.Rows(tx, rememberedTable.Scan, func(r remembered) { keys.Loaded(keyOf(r.CustomerID, r.Key), r) }, `
		SELECT `+rememberedTable.Columns+`
		FROM idempotency_keys
		JOIN unnest($1::text[], $2::text[]) AS named (customer_id, key) USING (customer_id, key)`, customers, own)
}

// insertRemembered queues the statement that stores new answers. It fails if another transaction has just stored one under the
// same key; the request is then decided again and finds that answer.
func insertRemembered(tx *postgres.Tx, keys *unit.Rows[string, remembered]) {
	added, _ := keys.Changes()
	if len(added) == 0 {
		return
	}
	tx.Queue(`
		INSERT INTO idempotency_keys (`+rememberedTable.Columns+`)
		SELECT *
		FROM `+rememberedTable.Rows, rememberedTable.Values(added)...)
}

// countedMost is how many orders are counted at most: a larger number tells nothing more and takes longer.
const countedMost = 10_000

// underWay counts the orders under way in one status.
type underWay struct {
	Status status
	Count  int64
	Oldest time.Time // the earliest time of a last progress
}

// countOrders counts the orders under way by status, those with the earliest deadlines first, and the orders that need
// attention. It stops at countedMost of each.
func countOrders(ctx context.Context, db *postgres.DB) (counts []underWay, attention int64, err error) {
	all, err := postgres.Planned(ctx, db, pgx.RowToStructByPos[underWay], `
		SELECT status, count(*), min(updated_at)
		FROM (SELECT status, updated_at FROM orders WHERE due_at IS NOT NULL ORDER BY due_at LIMIT $1) AS first
		GROUP BY status
		UNION ALL
		SELECT '', count(*), now()
		FROM (SELECT FROM orders WHERE attention_since IS NOT NULL ORDER BY attention_since LIMIT $1) AS first`, countedMost)
	if err != nil {
		return nil, 0, fmt.Errorf("count orders: %w", err)
	}
	for _, u := range all {
		if u.Status == "" {
			attention = u.Count
		} else {
			counts = append(counts, u)
		}
	}
	return counts, attention, nil
}
