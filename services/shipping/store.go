package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"example.com/orderflow/pkg/fault"
	"example.com/orderflow/pkg/postgres"
	"example.com/orderflow/pkg/unit"
)

// querier is a pool or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

const shipmentColumns = `
	order_id, address, lines, status, reason, carrier, tracking_number, estimated_delivery, stages, cancel_wanted,
	due_at, attempts, asked_at, last_error, origin, created_at, updated_at, settled_by, settled_why, settled_at`

// fields returns pointers to the fields that shipmentColumns names.
func (s *shipment) fields() []any {
	return []any{
		&s.OrderID, &s.Address, &s.Lines, &s.Status, &s.Reason, &s.Carrier, &s.TrackingNumber, &s.EstimatedDelivery, &s.Stages,
		&s.CancelWanted, &s.DueAt, &s.Attempts, &s.AskedAt, &s.LastError, &s.Origin, &s.CreatedAt, &s.UpdatedAt,
		&s.SettledBy, &s.SettledWhy, &s.SettledAt,
	}
}

// changing returns the values of those columns that change.
func (s *shipment) changing() []any {
	return []any{
		&s.OrderID, &s.Status, &s.Reason, &s.Carrier, &s.TrackingNumber, &s.EstimatedDelivery, &s.Stages, &s.CancelWanted,
		&s.DueAt, &s.Attempts, &s.AskedAt, &s.LastError, &s.Origin, &s.UpdatedAt, &s.SettledBy, &s.SettledWhy, &s.SettledAt,
	}
}

func scanShipment(row pgx.CollectableRow) (s shipment, err error) {
	err = row.Scan(s.fields()...)
	return s, err
}

var errNoShipment = fault.New(fault.NotFound, "there is no shipment of such an order")

// readShipment returns the shipment of an order. The error is errNoShipment when there is none.
func readShipment(ctx context.Context, q querier, orderID string) (shipment, error) {
	rows, err := q.Query(ctx, `
		SELECT `+shipmentColumns+`
		FROM shipments
		WHERE order_id = $1`, orderID)
	if err != nil {
		return shipment{}, fmt.Errorf("read shipment: %w", err)
	}
	s, err := pgx.CollectExactlyOneRow(rows, scanShipment)
	if errors.Is(err, pgx.ErrNoRows) {
		return shipment{}, errNoShipment
	}
	return s, err
}

// loadShipments queues the query that locks and reads the named shipments: no other transaction can change them until tx has
// ended.
func loadShipments(tx *postgres.Tx, shipments *unit.Rows[string, shipment]) {
	postgres.Rows(tx, scanShipment, func(s shipment) { shipments.Loaded(s.OrderID, s) }, `
		SELECT `+shipmentColumns+`
		FROM shipments
		WHERE order_id = ANY($1::uuid[])
		ORDER BY order_id
		FOR UPDATE`, shipments.Named())
}

// saveShipments queues the statements that write new shipments and shipments that have changed. The insert fails if another
// transaction has just inserted the same shipment; the decision is then made again with that shipment.
func saveShipments(tx *postgres.Tx, shipments *unit.Rows[string, shipment]) {
	added, changed := shipments.Changes()
	if len(added) > 0 {
		tx.Queue(`
			INSERT INTO shipments (`+shipmentColumns+`)
			SELECT *
			FROM unnest($1::uuid[], $2::jsonb[], $3::jsonb[], $4::text[], $5::text[], $6::text[], $7::text[], $8::timestamptz[],
				$9::jsonb[], $10::boolean[], $11::timestamptz[], $12::integer[], $13::timestamptz[], $14::text[], $15::jsonb[],
				$16::timestamptz[], $17::timestamptz[], $18::text[], $19::text[], $20::timestamptz[])`,
			unit.Columns(added, (*shipment).fields)...)
	}
	if len(changed) > 0 {
		tx.Queue(`
			UPDATE shipments AS s
			SET status = n.status, reason = n.reason, carrier = n.carrier, tracking_number = n.tracking_number,
				estimated_delivery = n.estimated_delivery, stages = n.stages, cancel_wanted = n.cancel_wanted, due_at = n.due_at,
				attempts = n.attempts, asked_at = n.asked_at, last_error = n.last_error, origin = n.origin, updated_at = n.updated_at,
				settled_by = n.settled_by, settled_why = n.settled_why, settled_at = n.settled_at
			FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::jsonb[], $8::boolean[],
				$9::timestamptz[], $10::integer[], $11::timestamptz[], $12::text[], $13::jsonb[], $14::timestamptz[], $15::text[],
				$16::text[], $17::timestamptz[])
				AS n (order_id, status, reason, carrier, tracking_number, estimated_delivery, stages, cancel_wanted, due_at, attempts,
					asked_at, last_error, origin, updated_at, settled_by, settled_why, settled_at)
			WHERE s.order_id = n.order_id`, unit.Columns(changed, (*shipment).changing)...)
	}
}

// claimShipments leases up to limit shipments that are due and need a call of their own. From then on the carrier may be asked
// to ship those that have no parcel and are not cancelled.
func claimShipments(ctx context.Context, db *postgres.DB, limit int, now time.Time, lease time.Duration) ([]claim, error) {
	claims, err := postgres.Planned(ctx, db, scanClaim, `
		WITH due AS (
			SELECT order_id AS id, asked_at AS before
			FROM shipments
			WHERE due_at <= $1 AND (tracking_number = '' OR cancel_wanted)
			ORDER BY due_at
			LIMIT $2
			FOR UPDATE SKIP LOCKED)
		UPDATE shipments
		SET due_at = $3,
			attempts = attempts + 1,
			asked_at = CASE WHEN tracking_number = '' AND NOT cancel_wanted THEN $1 ELSE asked_at END
		FROM due
		WHERE order_id = due.id
		RETURNING `+shipmentColumns+`, due.before`, now, limit, now.Add(lease))
	if err != nil {
		return nil, fmt.Errorf("claim shipments: %w", err)
	}
	return claims, nil
}

// claimFollowed claims up to limit shipments that are due and only need tracking. There is no lease: the claim sets when they
// are due again if nothing changes. This is wait.After in SQL.
func claimFollowed(ctx context.Context, db *postgres.DB, limit int, now time.Time, often pace) ([]claim, error) {
	claims, err := postgres.Planned(ctx, db, scanClaim, `
		WITH due AS (
			SELECT order_id AS id
			FROM shipments
			WHERE due_at <= $1 AND tracking_number <> '' AND NOT cancel_wanted
			ORDER BY due_at
			LIMIT $2
			FOR UPDATE SKIP LOCKED)
		UPDATE shipments
		SET due_at = $1 + least($3::interval * 2 ^ least(attempts, 30), $4::interval) * (1 + random()) / 2,
			attempts = attempts + 1
		FROM due
		WHERE order_id = due.id
		RETURNING `+shipmentColumns+`, asked_at`, now, limit, often.Every, often.Most)
	if err != nil {
		return nil, fmt.Errorf("claim followed shipments: %w", err)
	}
	return claims, nil
}

func scanClaim(row pgx.CollectableRow) (c claim, err error) {
	err = row.Scan(append(c.fields(), &c.Before)...)
	return c, err
}

// underWay counts the shipments under way in one status.
type underWay struct {
	Status status
	Count  int64
	Oldest time.Time
}

// countedMost is how many shipments are counted at most: a larger number tells nothing more and takes longer.
const countedMost = 10_000

// countUnderWay counts shipments under way by status, and returns the oldest time of a last progress. It counts at most
// countedMost of them, those first that are due first.
func countUnderWay(ctx context.Context, db *postgres.DB) ([]underWay, error) {
	counts, err := postgres.Planned(ctx, db, pgx.RowToStructByPos[underWay], `
		SELECT status, count(*), min(updated_at)
		FROM (SELECT status, updated_at FROM shipments WHERE due_at IS NOT NULL ORDER BY due_at LIMIT $1) AS first
		GROUP BY status`, countedMost)
	if err != nil {
		return nil, fmt.Errorf("count shipments: %w", err)
	}
	return counts, nil
}
