package main

import (
	"context"
	"fmt"
	"time"

	"example.com/orderflow/pkg/postgres"
	"example.com/orderflow/pkg/unit"
	"github.com/jackc/pgx/v5"
)

// progress is the status of a supplier order.
type progress string

const (
	requested progress = "requested" // recorded here; the supplier may or may not have it
	ordered   progress = "ordered"   // the supplier has it
	arrived   progress = "arrived"
)

// supplierOrder is an order to the supplier for units of a product.
type supplierOrder struct {
	ID        string // also the idempotency key for the supplier
	SKU       string
	Quantity  int
	Status    progress
	Attempts  int           // since the supplier last answered
	LastError string        // error of the last attempt, if it failed
	DueIn     time.Duration // how long from now until the worker processes it again
	UpdatedAt time.Time
}

const supplierOrderColumns = `id, sku, quantity, status, attempts, last_error, updated_at`

func scanSupplierOrder(row pgx.CollectableRow) (o supplierOrder, err error) {
	err = row.Scan(&o.ID, &o.SKU, &o.Quantity, &o.Status, &o.Attempts, &o.LastError, &o.UpdatedAt)
	return o, err
}

// insertSupplierOrders queues the statement that records new orders. The worker finds those that are due.
func insertSupplierOrders(tx *postgres.Tx, orders []supplierOrder) {
	tx.Queue(`
		INSERT INTO supplier_orders (id, sku, quantity, status, attempts, due_at, created_at, updated_at)
		SELECT id, sku, quantity, status, attempts, now() + due_in, at, at
		FROM unnest($1::uuid[], $2::text[], $3::bigint[], $4::text[], $5::integer[], $6::interval[], $7::timestamptz[])
			AS o (id, sku, quantity, status, attempts, due_in, at)`, unit.Columns(orders, func(o *supplierOrder) []any {
		return []any{&o.ID, &o.SKU, &o.Quantity, &o.Status, &o.Attempts, &o.DueIn, &o.UpdatedAt}
	})...)
}

// claimSupplierOrders leases orders that are due: no other worker finds them until the lease ends. The array is made once, so that
// the limit holds.
func claimSupplierOrders(ctx context.Context, db *postgres.DB, limit int, lease time.Duration) ([]supplierOrder, error) {
	claims, err := postgres.Planned(ctx, db, scanSupplierOrder, `
		UPDATE supplier_orders
		SET due_at = now() + $2::interval, attempts = attempts + 1
		WHERE id = ANY (ARRAY(
			SELECT id
			FROM supplier_orders
			WHERE status <> 'arrived' AND due_at <= now()
			ORDER BY due_at
			LIMIT $1
			FOR UPDATE SKIP LOCKED))
		RETURNING `+supplierOrderColumns, limit, lease)
	if err != nil {
		return nil, fmt.Errorf("claim supplier orders: %w", err)
	}
	return claims, nil
}

// loadSupplierOrders queues the query that locks and reads the named supplier orders.
func loadSupplierOrders(tx *postgres.Tx, orders *unit.Rows[string, supplierOrder]) {
	ids := orders.Named()
	if len(ids) == 0 {
		return
	}
	postgres.Rows(tx, scanSupplierOrder, func(o supplierOrder) { orders.Loaded(o.ID, o) }, `
		SELECT `+supplierOrderColumns+`
		FROM supplier_orders
		WHERE id = ANY($1::uuid[])
		ORDER BY id
		FOR UPDATE`, ids)
}

// saveSupplierOrders queues the statement that writes the progress of supplier orders.
func saveSupplierOrders(tx *postgres.Tx, orders *unit.Rows[string, supplierOrder]) {
	_, changed := orders.Changes()
	if len(changed) == 0 {
		return
	}
	tx.Queue(`
		UPDATE supplier_orders AS o
		SET status = n.status, attempts = n.attempts, last_error = n.last_error, due_at = now() + n.due_in, updated_at = n.at
		FROM unnest($1::uuid[], $2::text[], $3::integer[], $4::text[], $5::interval[], $6::timestamptz[])
			AS n (id, status, attempts, last_error, due_in, at)
		WHERE o.id = n.id`, unit.Columns(changed, func(o *supplierOrder) []any {
		return []any{&o.ID, &o.Status, &o.Attempts, &o.LastError, &o.DueIn, &o.UpdatedAt}
	})...)
}

// openOrders counts the supplier orders in one status.
type openOrders struct {
	Status  string
	Count   int64
	Failing int64 // those whose last attempt failed
}

// countedMost is how many supplier orders are counted at most: a larger number tells nothing more and takes longer.
const countedMost = 10_000

// countSupplierOrders counts the orders that have not arrived: at most countedMost, those first that are due first.
func countSupplierOrders(ctx context.Context, db *postgres.DB) ([]openOrders, error) {
	counts, err := postgres.Planned(ctx, db, pgx.RowToStructByPos[openOrders], `
		SELECT status, count(*), count(*) FILTER (WHERE last_error <> '')
		FROM (SELECT status, last_error FROM supplier_orders WHERE status <> 'arrived' ORDER BY due_at LIMIT $1) AS first
		GROUP BY status`, countedMost)
	if err != nil {
		return nil, fmt.Errorf("count supplier orders: %w", err)
	}
	return counts, nil
}
