package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/orderflow/pkg/fault"
	"github.com/jackc/pgx/v5"
)

// querier is a pool or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
}

const shipmentColumns = `
	order_id, address, lines, status, reason, carrier, tracking_number, estimated_delivery, stages, cancel_wanted,
	due_at, attempts, asked_at, trouble, origin, created_at, updated_at, settled_by, settled_why, settled_at`

// fields are where shipmentColumns go to.
func (s *shipment) fields() []any {
	return []any{
		&s.OrderID, &s.Address, &s.Lines, &s.Status, &s.Reason, &s.Carrier, &s.TrackingNumber, &s.EstimatedDelivery, &s.Stages,
		&s.CancelWanted, &s.DueAt, &s.Attempts, &s.AskedAt, &s.Trouble, &s.Origin, &s.CreatedAt, &s.UpdatedAt,
		&s.SettledBy, &s.SettledWhy, &s.SettledAt,
	}
}

func oneShipment(rows pgx.Rows, err error) (shipment, error) {
	if err != nil {
		return shipment{}, fmt.Errorf("read shipment: %w", err)
	}
	s, err := pgx.CollectExactlyOneRow(rows, func(row pgx.CollectableRow) (s shipment, err error) {
		err = row.Scan(s.fields()...)
		return s, err
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return shipment{}, errNoShipment
	}
	if err != nil {
		return shipment{}, fmt.Errorf("read shipment: %w", err)
	}
	return s, nil
}

var errNoShipment = fault.New(fault.NotFound, "there is no shipment of such an order")

// readShipment returns the shipment of an order. The error is errNoShipment when there is none.
func readShipment(ctx context.Context, q querier, orderID string) (shipment, error) {
	return oneShipment(q.Query(ctx, `
		SELECT `+shipmentColumns+`
		FROM shipments
		WHERE order_id = $1`, orderID))
}

// lockShipment returns a shipment that nobody else changes until tx has ended. The error is errNoShipment when there is none.
func lockShipment(ctx context.Context, tx pgx.Tx, orderID string) (shipment, error) {
	return oneShipment(tx.Query(ctx, `
		SELECT `+shipmentColumns+`
		FROM shipments
		WHERE order_id = $1
		FOR UPDATE`, orderID))
}

// insertShipment fails when somebody else has just done it: the message is handled again then, and finds his.
func insertShipment(ctx context.Context, tx pgx.Tx, s shipment) error {
	_, err := tx.Exec(ctx, `
		INSERT INTO shipments (`+shipmentColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)`, s.fields()...)
	if err != nil {
		return fmt.Errorf("insert shipment: %w", err)
	}
	return nil
}

// updateShipment writes the part of a shipment that changes.
func updateShipment(ctx context.Context, tx pgx.Tx, s shipment) error {
	_, err := tx.Exec(ctx, `
		UPDATE shipments
		SET status = $2, reason = $3, carrier = $4, tracking_number = $5, estimated_delivery = $6, stages = $7, cancel_wanted = $8,
			due_at = $9, attempts = $10, asked_at = $11, trouble = $12, origin = $13, updated_at = $14,
			settled_by = $15, settled_why = $16, settled_at = $17
		WHERE order_id = $1`,
		s.OrderID, s.Status, s.Reason, s.Carrier, s.TrackingNumber, s.EstimatedDelivery, s.Stages, s.CancelWanted,
		s.DueAt, s.Attempts, s.AskedAt, s.Trouble, s.Origin, s.UpdatedAt,
		s.SettledBy, s.SettledWhy, s.SettledAt)
	if err != nil {
		return fmt.Errorf("update shipment: %w", err)
	}
	return nil
}

// claimShipments leases up to limit shipments that are due. Unless it is to be called back, the carrier may be asked from
// now on to ship what it is not known to have.
func claimShipments(ctx context.Context, q querier, limit int, now time.Time, lease time.Duration) ([]claim, error) {
	rows, err := q.Query(ctx, `
		WITH due AS (
			SELECT order_id AS id, asked_at AS before
			FROM shipments
			WHERE due_at <= $1
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
	claims, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (c claim, err error) {
		err = row.Scan(append(c.fields(), &c.Before)...)
		return c, err
	})
	if err != nil {
		return nil, fmt.Errorf("claim shipments: %w", err)
	}
	return claims, nil
}

// underWay is the shipments of one status that are under way.
type underWay struct {
	Status status
	Count  int64
	Oldest time.Time
}

// countUnderWay counts the shipments that are under way, by status, and says when the one without news for longest had some.
func countUnderWay(ctx context.Context, q querier) ([]underWay, error) {
	rows, err := q.Query(ctx, `
		SELECT status, count(*), min(updated_at)
		FROM shipments
		WHERE due_at IS NOT NULL
		GROUP BY status`)
	if err != nil {
		return nil, fmt.Errorf("count shipments: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[underWay])
}
