package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"example.com/orderflow/pkg/fault"
	"example.com/orderflow/pkg/messages"
	"example.com/orderflow/pkg/postgres"
	"example.com/orderflow/pkg/unit"
)

// querier is a pool or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

const orderColumns = `
	id, customer_id, status, reason, lines, total_amount, total_currency, shipping_address, payment_method, allow_backorder,
	payment, shipment, step, seq, due_at, passed, attention_since, created_at, updated_at`

// fields returns pointers to the fields that orderColumns names.
func (o *order) fields() []any {
	return []any{
		&o.ID, &o.CustomerID, &o.Status, &o.Reason, &o.Lines, &o.Total.Amount, &o.Total.Currency, &o.ShippingAddress,
		&o.PaymentMethod, &o.AllowBackorder, &o.Payment, &o.Shipment, &o.Step, &o.Seq, &o.DueAt, &o.Passed, &o.AttentionSince,
		&o.CreatedAt, &o.UpdatedAt,
	}
}

// changing returns the values of those columns that change.
func (o *order) changing() []any {
	return []any{&o.ID, &o.Status, &o.Reason, &o.Payment, &o.Shipment, &o.Step, &o.Seq, &o.DueAt, &o.Passed, &o.AttentionSince, &o.UpdatedAt}
}

func scanOrder(row pgx.CollectableRow) (o order, err error) {
	err = row.Scan(o.fields()...)
	return o, err
}

func oneOrder(rows pgx.Rows, err error) (order, error) {
	if err != nil {
		return order{}, fmt.Errorf("read order: %w", err)
	}
	o, err := pgx.CollectExactlyOneRow(rows, scanOrder)
	if errors.Is(err, pgx.ErrNoRows) {
		return order{}, errNoOrder
	}
	if err != nil {
		return order{}, fmt.Errorf("read order: %w", err)
	}
	return o, nil
}

var errNoOrder = fault.New(fault.NotFound, "there is no such order")

// readOrder returns an order. The error is errNoOrder when there is none.
func readOrder(ctx context.Context, q querier, id string) (order, error) {
	return oneOrder(q.Query(ctx, `
		SELECT `+orderColumns+`
		FROM orders
		WHERE id = $1`, id))
}

// loadOrders queues the query that locks and reads the named orders: no other transaction can change them until tx has ended.
func loadOrders(tx *postgres.Tx, orders *unit.Rows[string, order]) {
	ids := orders.Named()
	if len(ids) == 0 {
		return
	}
	postgres.Rows(tx, scanOrder, func(o order) { orders.Loaded(o.ID, o) }, `
		SELECT `+orderColumns+`
		FROM orders
		WHERE id = ANY($1::uuid[])
		ORDER BY id
		FOR UPDATE`, ids)
}

// ordersOf returns a customer's orders that were placed before the one with id before, newest first. An empty before means all.
func ordersOf(ctx context.Context, q querier, customer, before string, limit int) ([]order, error) {
	rows, err := q.Query(ctx, `
		SELECT `+orderColumns+`
		FROM orders
		WHERE customer_id = $1 AND id < $2
		ORDER BY id DESC
		LIMIT $3`, customer, cmp.Or(before, uuid.Max.String()), limit)
	if err != nil {
		return nil, fmt.Errorf("read orders: %w", err)
	}
	return pgx.CollectRows(rows, scanOrder)
}

// ordersThatNeedAttention returns the orders that need attention, those first that have needed it longest. The list begins
// after the given time and id.
func ordersThatNeedAttention(ctx context.Context, q querier, since time.Time, id string, limit int) ([]order, error) {
	rows, err := q.Query(ctx, `
		SELECT `+orderColumns+`
		FROM orders
		WHERE attention_since >= $1 AND (attention_since, id) > ($1, $2)
		ORDER BY attention_since, id
		LIMIT $3`, since, id, limit)
	if err != nil {
		return nil, fmt.Errorf("read orders that need attention: %w", err)
	}
	return pgx.CollectRows(rows, scanOrder)
}

// timelineOf returns an order's timeline, oldest first.
func timelineOf(ctx context.Context, q querier, id string) ([]entry, error) {
	rows, err := q.Query(ctx, `
		SELECT seq, at, status, what, operator, why
		FROM timeline
		WHERE order_id = $1
		ORDER BY seq`, id)
	if err != nil {
		return nil, fmt.Errorf("read timeline: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[entry])
}

// saveOrders queues the statements that write new orders and orders that have changed.
func saveOrders(tx *postgres.Tx, orders *unit.Rows[string, order]) {
	added, changed := orders.Changes()
	if len(added) > 0 {
		tx.Queue(`
			INSERT INTO orders (`+orderColumns+`)
			SELECT *
			FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::jsonb[], $6::bigint[], $7::text[], $8::jsonb[], $9::text[],
				$10::boolean[], $11::jsonb[], $12::jsonb[], $13::integer[], $14::integer[], $15::timestamptz[], $16::integer[],
				$17::timestamptz[], $18::timestamptz[], $19::timestamptz[])`, unit.Columns(added, (*order).fields)...)
	}
	if len(changed) > 0 {
		tx.Queue(`
			UPDATE orders AS o
			SET status = n.status, reason = n.reason, payment = n.payment, shipment = n.shipment, step = n.step, seq = n.seq,
				due_at = n.due_at, passed = n.passed, attention_since = n.attention_since, updated_at = n.updated_at
			FROM unnest($1::uuid[], $2::text[], $3::text[], $4::jsonb[], $5::jsonb[], $6::integer[], $7::integer[], $8::timestamptz[],
				$9::integer[], $10::timestamptz[], $11::timestamptz[])
				AS n (id, status, reason, payment, shipment, step, seq, due_at, passed, attention_since, updated_at)
			WHERE o.id = n.id`, unit.Columns(changed, (*order).changing)...)
	}
}

// insertTimeline queues the statement that adds entries to timelines.
func insertTimeline(tx *postgres.Tx, entries []dated) {
	if len(entries) == 0 {
		return
	}
	tx.Queue(`
		INSERT INTO timeline (order_id, seq, at, status, what, operator, why)
		SELECT *
		FROM unnest($1::uuid[], $2::integer[], $3::timestamptz[], $4::text[], $5::text[], $6::text[], $7::text[])`,
		unit.Columns(entries, func(e *dated) []any {
			return []any{&e.OrderID, &e.Seq, &e.At, &e.Status, &e.What, &e.Operator, &e.Why}
		})...)
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

func (r *remembered) fields() []any {
	return []any{&r.CustomerID, &r.Key, &r.Fingerprint, &r.OrderID, &r.Answer}
}

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
	scan := func(row pgx.CollectableRow) (r remembered, err error) {
		err = row.Scan(r.fields()...)
		return r, err
	}
	postgres.Rows(tx, scan, func(r remembered) { keys.Loaded(keyOf(r.CustomerID, r.Key), r) }, `
		SELECT customer_id, key, fingerprint, order_id, answer
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
		INSERT INTO idempotency_keys (customer_id, key, fingerprint, order_id, answer)
		SELECT *
		FROM unnest($1::text[], $2::text[], $3::bytea[], $4::uuid[], $5::json[])`, unit.Columns(added, (*remembered).fields)...)
}

// product is orders' copy of a product of inventory.
type product struct {
	SKU     string
	Name    string
	Price   messages.Money
	Retired bool
}

// loadProducts queues the query for those of the named products that exist, and for whether the catalogue has any products at
// all.
func loadProducts(tx *postgres.Tx, products *unit.Rows[string, product], stocked *bool) {
	skus := products.Named()
	if len(skus) == 0 {
		return
	}
	scan := func(row pgx.CollectableRow) (p product, err error) {
		err = row.Scan(&p.SKU, &p.Name, &p.Price.Amount, &p.Price.Currency, &p.Retired)
		return p, err
	}
	postgres.Rows(tx, scan, func(p product) {
		*stocked = true
		if p.SKU != "" {
			products.Loaded(p.SKU, p)
		}
	}, `
		SELECT sku, name, price_amount, price_currency, retired
		FROM catalogue
		WHERE sku = ANY($1)
		UNION ALL
		(SELECT '', '', 0, '', false FROM catalogue LIMIT 1)`, skus)
}

// countProducts counts the catalogue, up to 1000 products: a larger number tells nothing more and takes longer.
func countProducts(ctx context.Context, q querier) (n int, err error) {
	rows, err := q.Query(ctx, `
		SELECT count(*)
		FROM (SELECT FROM catalogue LIMIT 1000) AS first`)
	if err != nil {
		return 0, fmt.Errorf("count catalogue: %w", err)
	}
	return pgx.CollectExactlyOneRow(rows, pgx.RowTo[int])
}

// keepProducts queues the statement that stores products, except those of which a later version has arrived before.
func keepProducts(tx *postgres.Tx, changes map[string]messages.ProductChanged) {
	if len(changes) == 0 {
		return
	}
	var all []messages.ProductChanged
	for _, sku := range slices.Sorted(maps.Keys(changes)) { // sorted: a fixed order of locks
		all = append(all, changes[sku])
	}
	tx.Queue(`
		INSERT INTO catalogue (sku, version, name, price_amount, price_currency, retired)
		SELECT *
		FROM unnest($1::text[], $2::bigint[], $3::text[], $4::bigint[], $5::text[], $6::boolean[])
		ON CONFLICT (sku) DO UPDATE
		SET version = excluded.version, name = excluded.name, price_amount = excluded.price_amount, price_currency = excluded.price_currency,
			retired = excluded.retired
		WHERE catalogue.version < excluded.version`, unit.Columns(all, func(m *messages.ProductChanged) []any {
		return []any{&m.SKU, &m.Version, &m.Name, &m.Price.Amount, &m.Price.Currency, &m.Retired}
	})...)
}

// countedMost is how many orders are counted at most: a larger number tells nothing more and takes longer.
const countedMost = 10_000

// countOrders counts the orders under way by status, those with the earliest deadlines first, and the orders that need
// attention. It stops at countedMost of each.
func countOrders(ctx context.Context, db *postgres.DB) (counts map[status]int64, attention int64, err error) {
	type inStatus struct {
		Status status
		Count  int64
	}
	all, err := postgres.Planned(ctx, db, pgx.RowToStructByPos[inStatus], `
		SELECT status, count(*)
		FROM (SELECT status FROM orders WHERE due_at IS NOT NULL ORDER BY due_at LIMIT $1) AS first
		GROUP BY status
		UNION ALL
		SELECT '', count(*)
		FROM (SELECT FROM orders WHERE attention_since IS NOT NULL ORDER BY attention_since LIMIT $1) AS first`, countedMost)
	if err != nil {
		return nil, 0, fmt.Errorf("count orders: %w", err)
	}
	counts = map[status]int64{}
	for _, in := range all {
		if in.Status == "" {
			attention = in.Count
		} else {
			counts[in.Status] = in.Count
		}
	}
	return counts, attention, nil
}
