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

// shipmentTable has the columns of shipments.
var shipmentTable = postgres.NewTable(func(s *shipment, column postgres.Column) {
	column("order_id uuid", &s.OrderID)
	column("address jsonb fixed", &s.Address)
	column("lines jsonb fixed", &s.Lines)
	column("status text", &s.Status)
	column("reason text", &s.Reason)
	column("carrier text", &s.Carrier)
	column("tracking_number text", &s.TrackingNumber)
	column("estimated_delivery timestamptz", &s.EstimatedDelivery)
	column("stages jsonb", &s.Stages)
	column("cancel_wanted boolean", &s.CancelWanted)
	column("due_at timestamptz", &s.DueAt)
	column("attempts integer", &s.Attempts)
	column("asked_at timestamptz", &s.AskedAt)
	column("last_error text", &s.LastError)
	column("calls jsonb", &s.Calls)
	column("origin jsonb", &s.Origin)
	column("created_at timestamptz fixed", &s.CreatedAt)
	column("updated_at timestamptz", &s.UpdatedAt)
	column("settled_by text", &s.SettledBy)
	column("settled_why text", &s.SettledWhy)
	column("settled_at timestamptz", &s.SettledAt)
})

var errNoShipment = fault.New(fault.NotFound, "there is no shipment of such an order")

// readShipment returns the shipment of an order. The error is errNoShipment when there is none.
func readShipment(ctx context.Context, db *postgres.DB, orderID string) (shipment, error) {
	s, err := postgres.ReadOne(ctx, db, shipmentTable.Scan, `
		SELECT `+shipmentTable.Columns+`
		FROM shipments
		WHERE order_id = $1`, orderID)
	if errors.Is(err, pgx.ErrNoRows) {
		return shipment{}, errNoShipment
	}
	if err != nil {
		return shipment{}, fmt.Errorf("read shipment: %w", err)
	}
	return s, nil
}

// loadShipments queues the query that locks and reads the named shipments: no other transaction can change them until tx has
// ended.
func loadShipments(tx *postgres.Tx, shipments *unit.Rows[string, shipment]) {
	postgres.Rows(tx, shipmentTable.Scan, func(s shipment) { shipments.Loaded(s.OrderID, s) }, `
		SELECT `+shipmentTable.Columns+`
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
			INSERT INTO shipments (`+shipmentTable.Columns+`)
			SELECT *
			FROM `+shipmentTable.Rows, shipmentTable.Values(added)...)
	}
	if len(changed) > 0 {
		tx.Queue(`
			UPDATE shipments AS s
			SET `+shipmentTable.Set+`
			FROM `+shipmentTable.Changes+`
			WHERE s.order_id = n.order_id`, shipmentTable.Changed(changed)...)
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
		RETURNING `+shipmentTable.Columns+`, due.before`, now, limit, now.Add(lease))
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
		RETURNING `+shipmentTable.Columns+`, asked_at`, now, limit, often.Every, often.Most)
	if err != nil {
		return nil, fmt.Errorf("claim followed shipments: %w", err)
	}
	return claims, nil
}

func scanClaim(row pgx.CollectableRow) (c claim, err error) {
	err = row.Scan(append(shipmentTable.Fields(&c.shipment), &c.Before)...)
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
