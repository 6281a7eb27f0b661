package main

import (
	"context"
	"fmt"
	"time"

	"example.com/orderflow/pkg/client"
	"example.com/orderflow/pkg/messages"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
)

// supplierOrder is stock that was asked for and has not arrived.
type supplierOrder struct {
	ID       string
	SKU      string
	Quantity int
	Attempts int // since the supplier last answered
}

// insertSupplierOrders records what is wanted from the supplier. The worker finds it there.
func insertSupplierOrders(b *pgx.Batch, wanted []messages.Line, now time.Time) error {
	for _, l := range wanted {
		id, err := uuid.NewV7()
		if err != nil {
			return fmt.Errorf("supplier order id: %w", err)
		}
		b.Queue(`
			INSERT INTO supplier_orders (id, sku, quantity, status, created_at, updated_at)
			VALUES ($1, $2, $3, 'requested', $4, $4)`, id.String(), l.SKU, l.Quantity, now)
	}
	return nil
}

// claimSupplierOrders leases orders that are due: until the lease ends nobody else finds them.
func claimSupplierOrders(ctx context.Context, q querier, limit int, lease time.Duration) ([]supplierOrder, error) {
	rows, err := q.Query(ctx, `
		UPDATE supplier_orders
		SET due_at = now() + $2::interval, attempts = attempts + 1
		WHERE id IN (
			SELECT id
			FROM supplier_orders
			WHERE status <> 'arrived' AND due_at <= now()
			ORDER BY due_at
			LIMIT $1
			FOR UPDATE SKIP LOCKED)
		RETURNING id, sku, quantity, attempts`, limit, lease)
	if err != nil {
		return nil, fmt.Errorf("claim supplier orders: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[supplierOrder])
}

// postponeSupplierOrder lets an order that could not be worked on come again.
func postponeSupplierOrder(ctx context.Context, tx pgx.Tx, id string, in time.Duration, cause error) error {
	_, err := tx.Exec(ctx, `
		UPDATE supplier_orders
		SET due_at = now() + $2::interval, last_error = $3
		WHERE id = $1 AND status <> 'arrived'`, id, in, client.Clean(cause.Error()))
	if err != nil {
		return fmt.Errorf("postpone supplier order: %w", err)
	}
	return nil
}

// awaitSupplierOrder notes that the supplier has an order, and when to ask about it again.
func awaitSupplierOrder(ctx context.Context, tx pgx.Tx, id string, in time.Duration, now time.Time) error {
	_, err := tx.Exec(ctx, `
		UPDATE supplier_orders
		SET status = 'ordered', attempts = 0, last_error = '', due_at = now() + $2::interval, updated_at = $3
		WHERE id = $1 AND status <> 'arrived'`, id, in, now)
	if err != nil {
		return fmt.Errorf("await supplier order: %w", err)
	}
	return nil
}

// finishSupplierOrder closes an order. first is false when it was closed before.
func finishSupplierOrder(ctx context.Context, tx pgx.Tx, id string, now time.Time) (first bool, err error) {
	done, err := tx.Exec(ctx, `
		UPDATE supplier_orders
		SET status = 'arrived', last_error = '', updated_at = $2
		WHERE id = $1 AND status <> 'arrived'`, id, now)
	if err != nil {
		return false, fmt.Errorf("finish supplier order: %w", err)
	}
	return done.RowsAffected() == 1, nil
}

// openOrders is a number of supplier orders in one status.
type openOrders struct {
	Status  string
	Count   int64
	Failing int64 // of them, those whose last attempt failed
}

// countSupplierOrders counts what has not arrived.
func countSupplierOrders(ctx context.Context, q querier) ([]openOrders, error) {
	rows, err := q.Query(ctx, `
		SELECT status, count(*), count(*) FILTER (WHERE last_error <> '')
		FROM supplier_orders
		WHERE status <> 'arrived'
		GROUP BY status`)
	if err != nil {
		return nil, fmt.Errorf("count supplier orders: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[openOrders])
}
