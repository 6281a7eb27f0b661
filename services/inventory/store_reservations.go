package main

import (
	"time"

	"github.com/jackc/pgx/v5"

	"example.com/orderflow/pkg/messages"
	"example.com/orderflow/pkg/postgres"
	"example.com/orderflow/pkg/unit"
)

// reservationTable has the columns of reservations that a decision changes.
var reservationTable = postgres.NewTable(func(r *reservation, column postgres.Column) {
	column("order_id uuid", &r.OrderID)
	column("status text", &r.Status)
	column("missing jsonb fixed", &r.Missing)
})

// loadReservations queues the query for the named reservations. Their orders and products are locked.
func loadReservations(tx *postgres.Tx, reservations *unit.Rows[string, reservation]) {
	ids := reservations.Named()
	if len(ids) == 0 {
		return
	}
	postgres.Rows(tx, pgx.RowToStructByPos[reservation], func(r reservation) { reservations.Loaded(r.OrderID, r) }, `
		SELECT order_id, status, coalesce((
			SELECT json_agg(json_build_object('sku', sku, 'quantity', quantity) ORDER BY sku)
			FROM reservation_lines AS l
			WHERE l.order_id = r.order_id), '[]'), missing
		FROM reservations AS r
		WHERE order_id = ANY($1::uuid[])`, ids)
}

// saveReservations queues the statements that write new reservations, and the status of those that have changed. Waiting
// reservations get their places at the end of the queues in the order of the decisions, because identity values are assigned in
// the order of insertion.
func saveReservations(tx *postgres.Tx, reservations *unit.Rows[string, reservation], now time.Time) {
	added, changed := reservations.Changes()
	if len(added) > 0 {
		tx.Queue(`
			INSERT INTO reservations (`+reservationTable.Columns+`, created_at, updated_at)
			SELECT `+reservationTable.Columns+`, $4, $4
			FROM `+reservationTable.Rows+` WITH ORDINALITY AS r (`+reservationTable.Columns+`, n)
			ORDER BY n`, append(reservationTable.Values(added), now)...)
		insertLines(tx, added)
	}
	updateReservations(tx, changed, now)
}

// insertLines queues the statement that adds the lines of new reservations.
func insertLines(tx *postgres.Tx, added []reservation) {
	var orders, skus []string
	var quantities []int
	for _, r := range added {
		for _, l := range r.Lines {
			orders, skus, quantities = append(orders, r.OrderID), append(skus, l.SKU), append(quantities, l.Quantity)
		}
	}
	if len(orders) == 0 {
		return
	}
	tx.Queue(`
		INSERT INTO reservation_lines (order_id, sku, quantity, place)
		SELECT l.order_id, l.sku, l.quantity, CASE WHEN r.status = 'backordered' THEN r.seq END
		FROM unnest($1::uuid[], $2::text[], $3::bigint[]) AS l (order_id, sku, quantity)
		JOIN reservations AS r USING (order_id)`, orders, skus, quantities)
}

// updateReservations queues the statement that writes the status of reservations that do not wait, or no longer wait.
func updateReservations(tx *postgres.Tx, changed []reservation, now time.Time) {
	if len(changed) == 0 {
		return
	}
	tx.Queue(`
		WITH unqueued AS (
			UPDATE reservation_lines
			SET place = NULL
			WHERE order_id = ANY($1::uuid[]) AND place IS NOT NULL)
		UPDATE reservations AS r
		SET `+reservationTable.Set+`, updated_at = $3
		FROM `+reservationTable.Changes+`
		WHERE r.order_id = n.order_id`, append(reservationTable.Changed(changed), now)...)
}

// readWaiting queues the query for all reservations that wait for a product, in the order of the queue.
func readWaiting(tx *postgres.Tx, sku string, row func(reservation)) {
	postgres.Rows(tx, pgx.RowToStructByPos[reservation], row, `
		SELECT r.order_id, r.status, json_agg(json_build_object('sku', l.sku, 'quantity', l.quantity) ORDER BY l.sku), r.missing
		FROM reservation_lines AS queued
		JOIN reservations AS r USING (order_id)
		JOIN reservation_lines AS l USING (order_id)
		WHERE queued.sku = $1 AND queued.place IS NOT NULL
		GROUP BY r.order_id, queued.place
		ORDER BY queued.place`, sku)
}

// readQueues queues the query for the reservations that may be at the front of the queue for one of the given products, in the
// order of the queue. Each wants at least one unit, so the query reads at most as many as there are units, however long the
// queue is.
func readQueues(tx *postgres.Tx, available []messages.Line, row func(waiting)) {
	var skus []string
	var units []int
	for _, l := range available {
		skus, units = append(skus, l.SKU), append(units, l.Quantity)
	}
	postgres.Rows(tx, pgx.RowToStructByPos[waiting], row, `
		WITH front AS (
			SELECT DISTINCT queue.order_id
			FROM unnest($1::text[], $2::bigint[]) AS s (sku, available)
			CROSS JOIN LATERAL (
				SELECT order_id
				FROM reservation_lines
				WHERE sku = s.sku AND place IS NOT NULL
				ORDER BY place
				LIMIT s.available) AS queue)
		SELECT order_id, json_agg(json_build_object('sku', l.sku, 'quantity', l.quantity, 'ahead', (
			SELECT coalesce(sum(a.quantity), 0)
			FROM reservation_lines AS a
			WHERE a.sku = l.sku AND a.place < l.place)) ORDER BY l.sku)
		FROM front
		JOIN reservation_lines AS l USING (order_id)
		GROUP BY order_id
		ORDER BY min(l.place)`, skus, units)
}
