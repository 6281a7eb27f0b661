package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"example.com/orderflow/pkg/fault"
	"example.com/orderflow/pkg/messages"
	"example.com/orderflow/pkg/outbox"
	"github.com/jackc/pgx/v5"
)

// querier is a pool or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

const orderColumns = `
	id, customer_id, status, reason, lines, total_amount, total_currency, shipping_address, payment_method, allow_backorder,
	payment, shipment, step, seq, attention_since, created_at, updated_at`

func scanOrder(row pgx.CollectableRow) (o order, err error) {
	err = row.Scan(&o.ID, &o.CustomerID, &o.Status, &o.Reason, &o.Lines, &o.Total.Amount, &o.Total.Currency, &o.ShippingAddress,
		&o.PaymentMethod, &o.AllowBackorder, &o.Payment, &o.Shipment, &o.Step, &o.Seq, &o.AttentionSince, &o.CreatedAt, &o.UpdatedAt)
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

// lockOrder returns an order that nobody else changes until tx has ended. The error is errNoOrder when there is none.
func lockOrder(ctx context.Context, tx pgx.Tx, id string) (order, error) {
	return oneOrder(tx.Query(ctx, `
		SELECT `+orderColumns+`
		FROM orders
		WHERE id = $1
		FOR UPDATE`, id))
}

// ordersOf returns a customer's orders that were placed before the one with id before (all when empty), newest first.
func ordersOf(ctx context.Context, q querier, customer, before string, limit int) ([]order, error) {
	rows, err := q.Query(ctx, `
		SELECT `+orderColumns+`
		FROM orders
		WHERE customer_id = $1 AND ($2 = '' OR id < nullif($2, '')::uuid)
		ORDER BY id DESC
		LIMIT $3`, customer, before, limit)
	if err != nil {
		return nil, fmt.Errorf("read orders: %w", err)
	}
	return pgx.CollectRows(rows, scanOrder)
}

// ordersInNeed returns the orders that a person should look at and that come after one, the longest in need first.
func ordersInNeed(ctx context.Context, q querier, since time.Time, id string, limit int) ([]order, error) {
	rows, err := q.Query(ctx, `
		SELECT `+orderColumns+`
		FROM orders
		WHERE attention_since >= $1 AND (attention_since, id) > ($1, $2)
		ORDER BY attention_since, id
		LIMIT $3`, since, id, limit)
	if err != nil {
		return nil, fmt.Errorf("read orders in need: %w", err)
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

// insertOrder writes the first turn of an order.
func insertOrder(ctx context.Context, tx pgx.Tx, t turn) error {
	o := t.order
	return write(ctx, tx, t, `
		INSERT INTO orders (`+orderColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)`,
		o.ID, o.CustomerID, o.Status, o.Reason, o.Lines, o.Total.Amount, o.Total.Currency, o.ShippingAddress, o.PaymentMethod,
		o.AllowBackorder, o.Payment, o.Shipment, o.Step, o.Seq, o.AttentionSince, o.CreatedAt, o.UpdatedAt)
}

// updateOrder writes a turn of an order that the caller has locked.
func updateOrder(ctx context.Context, tx pgx.Tx, t turn) error {
	o := t.order
	return write(ctx, tx, t, `
		UPDATE orders
		SET status = $2, reason = $3, payment = $4, shipment = $5, step = $6, seq = $7, attention_since = $8, updated_at = $9
		WHERE id = $1`, o.ID, o.Status, o.Reason, o.Payment, o.Shipment, o.Step, o.Seq, o.AttentionSince, o.UpdatedAt)
}

// write writes the order, what the turn adds to its timeline, and what it sends: two round trips.
func write(ctx context.Context, tx pgx.Tx, t turn, order string, args ...any) error {
	batch := &pgx.Batch{}
	batch.Queue(order, args...)
	if t.entry != nil {
		batch.Queue(`
			INSERT INTO timeline (order_id, seq, at, status, what, operator, why)
			VALUES ($1, $2, $3, $4, $5, $6, $7)`,
			t.order.ID, t.entry.Seq, t.entry.At, t.entry.Status, t.entry.What, t.entry.Operator, t.entry.Why)
	}
	if err := tx.SendBatch(ctx, batch).Close(); err != nil {
		return fmt.Errorf("write order %s: %w", t.order.ID, err)
	}
	msgs := t.send
	if t.check != nil {
		msgs = append(slices.Clip(msgs), outbox.At(t.due, *t.check))
	}
	return outbox.Send(ctx, tx, msgs...)
}

// remembered is the answer that an idempotency key has had.
type remembered struct {
	Fingerprint []byte
	OrderID     string
	Answer      []byte
}

// remember keeps the answer to an idempotency key. If the key has had one, which also means waiting for a transaction
// that is about to give it, that is returned instead.
func remember(ctx context.Context, tx pgx.Tx, customer, key string, r remembered) (before *remembered, err error) {
	done, err := tx.Exec(ctx, `
		INSERT INTO idempotency_keys (customer_id, key, fingerprint, order_id, answer)
		VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT DO NOTHING`, customer, key, r.Fingerprint, r.OrderID, r.Answer)
	if err != nil {
		return nil, fmt.Errorf("idempotency key: %w", err)
	}
	if done.RowsAffected() == 1 {
		return nil, nil
	}
	return recall(ctx, tx, customer, key)
}

// recall returns the answer that an idempotency key has had, or nil.
func recall(ctx context.Context, q querier, customer, key string) (*remembered, error) {
	rows, err := q.Query(ctx, `
		SELECT fingerprint, order_id, answer
		FROM idempotency_keys
		WHERE customer_id = $1 AND key = $2`, customer, key)
	if err != nil {
		return nil, fmt.Errorf("idempotency key: %w", err)
	}
	r, err := pgx.CollectExactlyOneRow(rows, pgx.RowToAddrOfStructByPos[remembered])
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	return r, err
}

// product is orders' copy of one of inventory's.
type product struct {
	SKU   string
	Name  string
	Price messages.Money
}

// productsBySKU returns the products of skus that there are, and whether the catalogue holds any at all.
func productsBySKU(ctx context.Context, q querier, skus []string) (found map[string]product, stocked bool, err error) {
	rows, err := q.Query(ctx, `
		SELECT sku, name, price_amount, price_currency
		FROM catalogue
		WHERE sku = ANY($1)
		UNION ALL
		(SELECT '', '', 0, '' FROM catalogue LIMIT 1)`, skus)
	if err != nil {
		return nil, false, fmt.Errorf("read catalogue: %w", err)
	}
	found = map[string]product{}
	var p product
	_, err = pgx.ForEachRow(rows, []any{&p.SKU, &p.Name, &p.Price.Amount, &p.Price.Currency}, func() error {
		stocked = true
		if p.SKU != "" {
			found[p.SKU] = p
		}
		return nil
	})
	if err != nil {
		return nil, false, fmt.Errorf("read catalogue: %w", err)
	}
	return found, stocked, nil
}

// countProducts counts the catalogue, up to 1000 products: more tell nothing new, and take time.
func countProducts(ctx context.Context, q querier) (n int, err error) {
	rows, err := q.Query(ctx, `
		SELECT count(*)
		FROM (SELECT FROM catalogue LIMIT 1000) AS first`)
	if err != nil {
		return 0, fmt.Errorf("count catalogue: %w", err)
	}
	return pgx.CollectExactlyOneRow(rows, pgx.RowTo[int])
}

// keepProduct takes over a product unless a later version of it has arrived before.
func keepProduct(ctx context.Context, tx pgx.Tx, m messages.ProductChanged) error {
	_, err := tx.Exec(ctx, `
		INSERT INTO catalogue (sku, version, name, price_amount, price_currency)
		VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (sku) DO UPDATE
		SET version = excluded.version, name = excluded.name, price_amount = excluded.price_amount, price_currency = excluded.price_currency
		WHERE catalogue.version < excluded.version`, m.SKU, m.Version, m.Name, m.Price.Amount, m.Price.Currency)
	if err != nil {
		return fmt.Errorf("keep product: %w", err)
	}
	return nil
}

// countOrders counts the orders that are under way by status, and those that a person should look at.
func countOrders(ctx context.Context, q querier) (counts map[status]int64, needy int64, err error) {
	rows, err := q.Query(ctx, `
		SELECT status, count(*), count(attention_since)
		FROM orders
		WHERE status NOT IN ('delivered', 'cancelled')
		GROUP BY status`)
	if err != nil {
		return nil, 0, fmt.Errorf("count orders: %w", err)
	}
	counts = map[status]int64{}
	var s status
	var n, attention int64
	_, err = pgx.ForEachRow(rows, []any{&s, &n, &attention}, func() error {
		counts[s] = n
		needy += attention
		return nil
	})
	return counts, needy, err
}
