package main

import (
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"

	"example.com/orderflow/pkg/postgres"
)

// This file has the SQL of stock; the SQL of the other tables is in store_….go.
//
// Locks are always taken in the same order, so that no two transactions wait for each other: first the orders that a
// transaction is about, then all products that it may change, by SKU, then supplier orders. A reservation is changed only by a
// transaction that has locked its products.
//
// All statements of a load are sent together. Each has its own snapshot (READ COMMITTED), which is taken when the statement
// before it has ended. So a statement after a lock sees what earlier holders of the lock have committed. A statement that locks
// uses the snapshot of its beginning, and its subqueries may see data older than the locks that it waits for. This is safe for
// the lines of an order's reservation, because the order is locked before and its lines never change. It is not safe for the
// queue of a product, which is therefore read again: see work.Load.

// lockOrders queues the statement that locks orders until tx has ended. These are advisory locks, not row locks, because an
// order may not be known here yet.
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

// alongside selects the SKUs of all products of the orders that may be served or rejected: orders that wait for one of the
// products in locks. $1, $2 and $3 are the fields freeing, releasing and dropping.
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

// readQueued queues the query for the SKUs of alongside.
func readQueued(tx *postgres.Tx, l locks, row func(sku string)) {
	postgres.Rows(tx, pgx.RowTo[string], row, `
		SELECT DISTINCT sku
		FROM (`+alongside+`) AS alongside`, l.freeing, l.releasing, l.dropping)
}

// stockTable has the columns of products that say where their units are, and when more are ordered.
var stockTable = postgres.NewTable(func(s *stock, column postgres.Column) {
	column("sku text", &s.SKU)
	column("available bigint", &s.Available)
	column("reserved bigint", &s.Reserved)
	column("backordered bigint", &s.Backordered)
	column("on_order bigint", &s.OnOrder)
	column("kept bigint", &s.Kept)
	column("reorder_point bigint", &s.ReorderPoint)
	column("reorder_quantity bigint", &s.ReorderQuantity)
})

// lockStock queues the query that locks and reads the stock of the products with the given SKUs, as far as they exist, and of
// the products that the given orders have reserved. No other transaction can change them until tx has ended.
func lockStock(tx *postgres.Tx, skus, orders []string, row func(*stock)) {
	if len(skus) == 0 && len(orders) == 0 {
		return
	}
	postgres.Rows(tx, pgx.RowToAddrOfStructByPos[stock], row, `
		SELECT `+stockTable.Columns+`
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

// lockQueues is lockStock for all of these products and, besides, those of alongside.
func lockQueues(tx *postgres.Tx, l locks, skus, orders []string, row func(*stock)) {
	postgres.Rows(tx, pgx.RowToAddrOfStructByPos[stock], row, `
		SELECT `+stockTable.Columns+`
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

// saveStock queues the statement that writes the changes of a shelf since it was loaded.
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
		SET `+stockTable.Set+`
		FROM `+stockTable.Changes+`
		WHERE p.sku = n.sku`, stockTable.Changed(changed)...)
}
