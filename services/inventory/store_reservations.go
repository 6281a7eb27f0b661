package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/orderflow/pkg/messages"
	"github.com/jackc/pgx/v5"
)

// readReservation returns the reservation of an order. Its status is empty when there is none.
func readReservation(ctx context.Context, tx pgx.Tx, orderID string) (reservation, error) {
	r := reservation{OrderID: orderID}
	err := tx.QueryRow(ctx, `
		SELECT status, missing, coalesce((
			SELECT json_agg(json_build_object('sku', sku, 'quantity', quantity) ORDER BY sku)
			FROM reservation_lines
			WHERE order_id = $1), '[]')
		FROM reservations
		WHERE order_id = $1`, orderID).Scan(&r.Status, &r.Missing, &r.Lines)
	if err != nil && !errors.Is(err, pgx.ErrNoRows) {
		return r, fmt.Errorf("read reservation: %w", err)
	}
	return r, nil
}

// linesOf returns the SKUs that the reservations of orders are about.
func linesOf(ctx context.Context, q querier, orderIDs []string) ([]string, error) {
	rows, err := q.Query(ctx, `
		SELECT DISTINCT sku
		FROM reservation_lines
		WHERE order_id = ANY($1::uuid[])`, orderIDs)
	if err != nil {
		return nil, fmt.Errorf("read reservation lines: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// insertReservation notes what was decided about an order. One that waits takes its place at the end of its queues.
func insertReservation(b *pgx.Batch, r reservation, now time.Time) {
	skus, quantities := columns(r.Lines)
	b.Queue(`
		WITH r AS (
			INSERT INTO reservations (order_id, status, missing, created_at, updated_at)
			VALUES ($1, $2, $3, $4, $4)
			RETURNING order_id, status, seq)
		INSERT INTO reservation_lines (order_id, sku, quantity, place)
		SELECT r.order_id, l.sku, l.quantity, CASE WHEN r.status = 'backordered' THEN r.seq END
		FROM r
		CROSS JOIN unnest($5::text[], $6::bigint[]) AS l (sku, quantity)`, r.OrderID, r.Status, r.Missing, now, skus, quantities)
}

// updateReservations gives reservations a status in which they do not wait, or no longer.
func updateReservations(b *pgx.Batch, to status, now time.Time, orderIDs ...string) {
	b.Queue(`
		WITH unqueued AS (
			UPDATE reservation_lines
			SET place = NULL
			WHERE order_id = ANY($1::uuid[]) AND place IS NOT NULL)
		UPDATE reservations
		SET status = $2, updated_at = $3
		WHERE order_id = ANY($1::uuid[])`, orderIDs, to, now)
}

// queuedWith returns the SKUs of everything that those wait for who wait for one of skus.
func queuedWith(ctx context.Context, q querier, skus []string) ([]string, error) {
	rows, err := q.Query(ctx, `
		SELECT DISTINCT theirs.sku
		FROM reservation_lines AS queued
		JOIN reservation_lines AS theirs USING (order_id)
		WHERE queued.sku = ANY($1) AND queued.place IS NOT NULL`, skus)
	if err != nil {
		return nil, fmt.Errorf("read queues: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// waitingFor returns all who wait for a product, first come first.
func waitingFor(ctx context.Context, q querier, sku string) ([]reservation, error) {
	rows, err := q.Query(ctx, `
		SELECT r.order_id, r.status, json_agg(json_build_object('sku', l.sku, 'quantity', l.quantity) ORDER BY l.sku), r.missing
		FROM reservation_lines AS queued
		JOIN reservations AS r USING (order_id)
		JOIN reservation_lines AS l USING (order_id)
		WHERE queued.sku = $1 AND queued.place IS NOT NULL
		GROUP BY r.order_id, queued.place
		ORDER BY queued.place`, sku)
	if err != nil {
		return nil, fmt.Errorf("read queue: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[reservation])
}

// readQueues returns those who wait for one of skus and may have got to the front of its queue, first come first. Each
// wants at least one unit, so there are no more of them than units: the length of the queue does not matter.
func readQueues(ctx context.Context, q querier, available []messages.Line) ([]waiting, error) {
	skus, quantities := columns(available)
	rows, err := q.Query(ctx, `
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
		ORDER BY min(l.place)`, skus, quantities)
	if err != nil {
		return nil, fmt.Errorf("read queues: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[waiting])
}
