package main

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"example.com/orderflow/pkg/postgres"
	"example.com/orderflow/pkg/unit"
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
	Attempts  int    // since the supplier last answered
	LastError string // error of the last attempt, if it failed
	DueAt     time.Time
	CreatedAt time.Time
	UpdatedAt time.Time
}

// supplierOrderTable has the columns of supplier_orders.
var supplierOrderTable = postgres.NewTable(func(o *supplierOrder, column postgres.Column) {
	column("id uuid", &o.ID)
	column("sku text fixed", &o.SKU)
	column("quantity bigint fixed", &o.Quantity)
	column("status text", &o.Status)
	column("attempts integer", &o.Attempts)
	column("last_error text", &o.LastError)
	column("due_at timestamptz", &o.DueAt)
	column("created_at timestamptz fixed", &o.CreatedAt)
	column("updated_at timestamptz", &o.UpdatedAt)
})

// insertSupplierOrders queues the statement that records new orders. The worker finds those that are due.
func insertSupplierOrders(tx *postgres.Tx, orders []supplierOrder) {
	tx.Queue(`
		INSERT INTO supplier_orders (`+supplierOrderTable.Columns+`)
		SELECT *
		FROM `+supplierOrderTable.Rows, supplierOrderTable.Values(orders)...)
}

// claimSupplierOrders leases up to limit orders that are due: no other worker finds them until the lease ends. The array is made
// once, so that the limit holds.
func claimSupplierOrders(ctx context.Context, db *postgres.DB, limit int, now time.Time, lease time.Duration) ([]supplierOrder, error) {
	claims, err := postgres.Planned(ctx, db, supplierOrderTable.Scan, `
		UPDATE supplier_orders
		SET due_at = $3, attempts = attempts + 1
		WHERE id = ANY (ARRAY(
			SELECT id
			FROM supplier_orders
			WHERE status <> 'arrived' AND due_at <= $1
			ORDER BY due_at
			LIMIT $2
			FOR UPDATE SKIP LOCKED))
		RETURNING `+supplierOrderTable.Columns, now, limit, now.Add(lease))
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
	postgres.Rows(tx, supplierOrderTable.Scan, func(o supplierOrder) { orders.Loaded(o.ID, o) }, `
		SELECT `+supplierOrderTable.Columns+`
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
		SET `+supplierOrderTable.Set+`
		FROM `+supplierOrderTable.Changes+`
		WHERE o.id = n.id`, supplierOrderTable.Changed(changed)...)
}

// openOrders counts the supplier orders in one status.
type openOrders struct {
	Status  string
	Count   int64
	Failing int64 // those whose last attempt failed
	Oldest  time.Time
}

// countedMost is how many supplier orders are counted at most: a larger number tells nothing more and takes longer.
const countedMost = 10_000

// countSupplierOrders counts the orders that have not arrived: at most countedMost, those first that are due first.
func countSupplierOrders(ctx context.Context, db *postgres.DB) ([]openOrders, error) {
	counts, err := postgres.Planned(ctx, db, pgx.RowToStructByPos[openOrders], `
		SELECT status, count(*), count(*) FILTER (WHERE last_error <> ''), min(created_at)
		FROM (SELECT status, last_error, created_at FROM supplier_orders WHERE status <> 'arrived' ORDER BY due_at LIMIT $1) AS first
		GROUP BY status`, countedMost)
	if err != nil {
		return nil, fmt.Errorf("count supplier orders: %w", err)
	}
	return counts, nil
}
