package main

import (
	"context"
	"maps"
	"slices"

	"example.com/orderflow/pkg/postgres"
	"example.com/orderflow/pkg/unit"
	"github.com/jackc/pgx/v5"
)

// The SQL of stock is in this file, of the other tables in store_….go.
//
// Locks are taken in one order, everywhere: first the orders that a transaction is about, then all products that it may
// change, by SKU, then supplier orders. A reservation is changed only by who has locked its products. So no two transactions
// wait for each other.
//
// All statements of a load are sent together. Each has a snapshot of its own (READ COMMITTED), taken when the one before it has
// ended: what follows a lock sees what those have committed who had it before. A statement that locks goes by the snapshot of its
// beginning, and what it reads by the way may be older than the locks that it waits for. The lines of an order's reservation
// are safe to read there, for the order is locked before, and its lines never change. Who waits for a product is not; that is why
// it is asked again: see work.Load.

// querier is a pool or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

// lockOrders queues what lets no other transaction decide about these orders until tx has ended. An order need not be known here
// yet, so these are not rows.
func lockOrders(tx *postgres.Tx, ids []string) {
	if len(ids) == 0 {
		return
	}
	tx.Queue(`
		SELECT pg_advisory_xact_lock(key)
		FROM (
			SELECT DISTINCT hashtextextended('order ' || id, 0) AS key
			FROM unnest($1::text[]) AS id
			ORDER BY key) AS keys`, ids)
}

// alongside is the SKUs of everything that those wait for whose turn may come, or who may be turned away. $1, $2 and $3 are
// freeing, releasing and dropping of locks.
const alongside = `
		SELECT beside.sku
		FROM (
			SELECT unnest($1::text[]) AS sku
			UNION
			SELECT sku
			FROM reservation_lines
			WHERE order_id = ANY($2::uuid[])
			UNION
			SELECT unnest($3::text[])
			UNION
			SELECT beside.sku
			FROM reservation_lines AS dropped
			JOIN reservation_lines AS beside USING (order_id)
			WHERE dropped.sku = ANY($3) AND dropped.place IS NOT NULL) AS free
		JOIN reservation_lines AS waits ON waits.sku = free.sku AND waits.place IS NOT NULL
		JOIN reservation_lines AS beside ON beside.order_id = waits.order_id`

// readQueued queues what reads the SKUs of everything that those wait for who have to do with locks.
func readQueued(tx *postgres.Tx, l locks, row func(sku string)) {
	postgres.Rows(tx, pgx.RowTo[string], row, `
		SELECT DISTINCT sku
		FROM (`+alongside+`) AS alongside`, l.freeing, l.releasing, l.dropping)
}

const stockColumns = `sku, available, reserved, backordered, on_order, kept, reorder_point, reorder_quantity`

// lockStock queues what locks and reads the stock of products: of those among skus that there are, and of those of the
// reservations of orders. Nobody else changes it until tx has ended.
func lockStock(tx *postgres.Tx, skus, orders []string, row func(*stock)) {
	if len(skus) == 0 && len(orders) == 0 {
		return
	}
	postgres.Rows(tx, pgx.RowToAddrOfStructByPos[stock], row, `
		SELECT `+stockColumns+`
		FROM products
		WHERE sku = ANY(ARRAY(
			SELECT unnest($1::text[])
			UNION
			SELECT sku
			FROM reservation_lines
			WHERE order_id = ANY($2::uuid[])))
		ORDER BY sku
		FOR UPDATE`, skus, orders)
}

// lockQueues is lockStock that also locks everything that those wait for who have to do with l.
func lockQueues(tx *postgres.Tx, l locks, skus, orders []string, row func(*stock)) {
	postgres.Rows(tx, pgx.RowToAddrOfStructByPos[stock], row, `
		SELECT `+stockColumns+`
		FROM products
		WHERE sku = ANY(ARRAY(`+alongside+`
			UNION
			SELECT unnest($4::text[])
			UNION
			SELECT sku
			FROM reservation_lines
			WHERE order_id = ANY($5::uuid[])))
		ORDER BY sku
		FOR UPDATE`, l.freeing, l.releasing, l.dropping, skus, orders)
}

// saveStock queues what writes back what has changed on a shelf since it was loaded.
func saveStock(tx *postgres.Tx, s shelf, stored map[string]stock) {
	var changed []stock
	for _, sku := range slices.Sorted(maps.Keys(s)) {
		if *s[sku] != stored[sku] {
			changed = append(changed, *s[sku])
		}
	}
	if len(changed) == 0 {
		return
	}
	tx.Queue(`
		UPDATE products AS p
		SET available = s.available, reserved = s.reserved, backordered = s.backordered, on_order = s.on_order, kept = s.kept
		FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[])
			AS s (sku, available, reserved, backordered, on_order, kept)
		WHERE p.sku = s.sku`, unit.Columns(changed, func(s *stock) []any {
		return []any{&s.SKU, &s.Available, &s.Reserved, &s.Backordered, &s.OnOrder, &s.Kept}
	})...)
}
