package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"example.com/orderflow/pkg/messages"
	"github.com/jackc/pgx/v5"
)

// The SQL of stock is in this file, of the other tables in store_….go.
//
// Locks are taken in one order, everywhere: first the orders that a transaction is about, then all products that it may
// change, by SKU. A reservation is changed only by who has locked its products. So no two transactions wait for each other.

// querier is a pool or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// lockOrders lets no other transaction decide about these orders until tx has ended. An order need not be known here yet,
// so these are not rows.
func lockOrders(ctx context.Context, tx pgx.Tx, ids []string) error {
	_, err := tx.Exec(ctx, `
		SELECT pg_advisory_xact_lock(key)
		FROM (
			SELECT DISTINCT hashtextextended('order ' || id, 0) AS key
			FROM unnest($1::text[]) AS id
			ORDER BY key) AS keys`, ids)
	if err != nil {
		return fmt.Errorf("lock orders: %w", err)
	}
	return nil
}

// lockStock returns the stock of the products that there are among skus. Nobody else changes it until tx has ended.
func lockStock(ctx context.Context, tx pgx.Tx, skus []string) (shelf, error) {
	rows, err := tx.Query(ctx, `
		SELECT sku, available, reserved, backordered, on_order, kept, reorder_point, reorder_quantity
		FROM products
		WHERE sku = ANY($1)
		ORDER BY sku
		FOR UPDATE`, skus)
	if err != nil {
		return nil, fmt.Errorf("lock stock: %w", err)
	}
	stocks, err := pgx.CollectRows(rows, pgx.RowToAddrOfStructByPos[stock])
	if err != nil {
		return nil, fmt.Errorf("lock stock: %w", err)
	}
	s := shelf{}
	for _, one := range stocks {
		s[one.SKU] = one
	}
	return s, nil
}

// lockWaiting locks a product, those of all who wait for it, and what serving others may change once some of them are
// turned away.
func lockWaiting(ctx context.Context, tx pgx.Tx, sku string) error {
	others, err := queuedWith(ctx, tx, []string{sku})
	if err != nil {
		return err
	}
	return lockQueues(ctx, tx, append(others, sku))
}

var errQueueGrew = errors.New("somebody has begun to wait")

// lockQueues locks products whose stock may become free, and with them all other products of those who wait for them:
// serving somebody changes all that he waits for. Who waits is only certain once the locks are held, so if more are needed
// then, it gives them back (the savepoint does) and takes all of them again, in the one order.
func lockQueues(ctx context.Context, tx pgx.Tx, skus []string) error {
	all := skus
	for {
		err := pgx.BeginFunc(ctx, tx, func(tx pgx.Tx) error {
			locked, err := lockStock(ctx, tx, all)
			if err != nil {
				return err
			}
			others, err := queuedWith(ctx, tx, skus)
			if err != nil {
				return err
			}
			if slices.ContainsFunc(others, func(sku string) bool { return locked[sku] == nil }) {
				all = slices.Concat(skus, others)
				return errQueueGrew
			}
			return nil
		})
		if !errors.Is(err, errQueueGrew) {
			return err
		}
	}
}

// What a handler writes is queued in a batch, in the order in which it takes effect, and sent in one round trip.

// write sends what is queued and leaves the batch empty.
func write(ctx context.Context, tx pgx.Tx, b *pgx.Batch) error {
	if b.Len() == 0 {
		return nil
	}
	err := tx.SendBatch(ctx, b).Close()
	*b = pgx.Batch{}
	if err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}

// saveStock writes back what was locked.
func saveStock(b *pgx.Batch, s shelf) {
	if len(s) == 0 {
		return
	}
	var available, reserved, backordered, onOrder, kept []int
	skus := slices.Sorted(maps.Keys(s))
	for _, sku := range skus {
		available, reserved = append(available, s[sku].Available), append(reserved, s[sku].Reserved)
		backordered, onOrder = append(backordered, s[sku].Backordered), append(onOrder, s[sku].OnOrder)
		kept = append(kept, s[sku].Kept)
	}
	b.Queue(`
		UPDATE products AS p
		SET available = s.available, reserved = s.reserved, backordered = s.backordered, on_order = s.on_order, kept = s.kept
		FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[])
			AS s (sku, available, reserved, backordered, on_order, kept)
		WHERE p.sku = s.sku`, skus, available, reserved, backordered, onOrder, kept)
}

// movement is why units came, or left for good.
type movement struct {
	What      string // initial, replenished or taken
	Reference string
	Operator  string
}

// enterMovement enters units in the ledger. Their number is negative when they leave.
func enterMovement(b *pgx.Batch, m movement, at time.Time, lines ...messages.Line) {
	skus, quantities := columns(lines)
	b.Queue(`
		INSERT INTO stock_movements (reference, sku, operator, what, quantity, at)
		SELECT $1, l.sku, $2, $3, CASE WHEN $3 = 'taken' THEN -l.quantity ELSE l.quantity END, $4
		FROM unnest($5::text[], $6::bigint[]) AS l (sku, quantity)`, m.Reference, m.Operator, m.What, at, skus, quantities)
}

// columns turns lines into what unnest makes rows of.
func columns(lines []messages.Line) (skus []string, quantities []int) {
	for _, l := range lines {
		skus, quantities = append(skus, l.SKU), append(quantities, l.Quantity)
	}
	return skus, quantities
}

// addedBy returns how many units of a product an operator has added under a reference, 0 when that has not happened.
func addedBy(ctx context.Context, tx pgx.Tx, operator, reference, sku string) (quantity int, err error) {
	err = tx.QueryRow(ctx, `
		SELECT coalesce(sum(quantity), 0)::bigint
		FROM stock_movements
		WHERE operator = $1 AND reference = $2 AND sku = $3`, operator, reference, sku).Scan(&quantity)
	if err != nil {
		return 0, fmt.Errorf("read movement: %w", err)
	}
	return quantity, nil
}
