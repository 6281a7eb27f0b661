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

// paymentTable has the columns of payments.
var paymentTable = postgres.NewTable(func(p *payment, column postgres.Column) {
	column("order_id uuid", &p.OrderID)
	column("amount bigint", &p.Amount.Amount)
	column("currency text", &p.Amount.Currency)
	column("method text", &p.Method)
	column("status text", &p.Status)
	column("code text", &p.Code)
	column("charge_id text", &p.ChargeID)
	column("refund_id text", &p.RefundID)
	column("due_at timestamptz", &p.DueAt)
	column("attempts integer", &p.Attempts)
	column("asked_at timestamptz", &p.AskedAt)
	column("last_error text", &p.LastError)
	column("calls jsonb", &p.Calls)
	column("origin jsonb", &p.Origin)
	column("created_at timestamptz fixed", &p.CreatedAt)
	column("updated_at timestamptz", &p.UpdatedAt)
	column("settled_by text", &p.SettledBy)
	column("settled_why text", &p.SettledWhy)
	column("settled_at timestamptz", &p.SettledAt)
})

var errNoPayment = fault.New(fault.NotFound, "there is no payment of such an order")

// readPayment returns the payment of an order. The error is errNoPayment when there is none.
func readPayment(ctx context.Context, db *postgres.DB, orderID string) (payment, error) {
	p, err := postgres.ReadOne(ctx, db, paymentTable.Scan, `
		SELECT `+paymentTable.Columns+`
		FROM payments
		WHERE order_id = $1`, orderID)
	if errors.Is(err, pgx.ErrNoRows) {
		return payment{}, errNoPayment
	}
	if err != nil {
		return payment{}, fmt.Errorf("read payment: %w", err)
	}
	return p, nil
}

// loadPayments queues the query that locks and reads the named payments: no other transaction can change them until tx has
// ended.
func loadPayments(tx *postgres.Tx, payments *unit.Rows[string, payment]) {
	postgres.Rows(tx, paymentTable.Scan, func(p payment) { payments.Loaded(p.OrderID, p) }, `
		SELECT `+paymentTable.Columns+`
		FROM payments
		WHERE order_id = ANY($1::uuid[])
		ORDER BY order_id
		FOR UPDATE`, payments.Named())
}

// savePayments queues the statements that write new payments and payments that have changed. The insert fails if another
// transaction has just inserted the same payment; the decision is then made again with that payment.
func savePayments(tx *postgres.Tx, payments *unit.Rows[string, payment]) {
	added, changed := payments.Changes()
	if len(added) > 0 {
		tx.Queue(`
			INSERT INTO payments (`+paymentTable.Columns+`)
			SELECT *
			FROM `+paymentTable.Rows, paymentTable.Values(added)...)
	}
	if len(changed) > 0 {
		tx.Queue(`
			UPDATE payments AS p
			SET `+paymentTable.Set+`
			FROM `+paymentTable.Changes+`
			WHERE p.order_id = n.order_id`, paymentTable.Changed(changed)...)
	}
}

// claimPayments leases up to limit payments that are due. From then on the provider may be asked to charge or refund them. For
// a payment that was given up, the worker only asks whether it was charged.
func claimPayments(ctx context.Context, db *postgres.DB, limit int, now time.Time, lease time.Duration) ([]claim, error) {
	claims, err := postgres.Planned(ctx, db, scanClaim, `
		WITH due AS (
			SELECT order_id AS id, asked_at AS before
			FROM payments
			WHERE due_at <= $1
			ORDER BY due_at
			LIMIT $2
			FOR UPDATE SKIP LOCKED)
		UPDATE payments
		SET due_at = $3,
			attempts = attempts + 1,
			asked_at = CASE WHEN status = 'withdrawing' THEN asked_at ELSE $1 END
		FROM due
		WHERE order_id = due.id
		RETURNING `+paymentTable.Columns+`, due.before`, now, limit, now.Add(lease))
	if err != nil {
		return nil, fmt.Errorf("claim payments: %w", err)
	}
	return claims, nil
}

func scanClaim(row pgx.CollectableRow) (c claim, err error) {
	err = row.Scan(append(paymentTable.Fields(&c.payment), &c.Before)...)
	return c, err
}

// unsettled counts the unsettled payments of one status.
type unsettled struct {
	Status status
	Count  int64
	Oldest time.Time
}

// countedMost is how many payments are counted at most: a larger number tells nothing more and takes longer.
const countedMost = 10_000

// countUnsettled counts unsettled payments by status, and returns when the oldest entered it. It counts at most countedMost of
// them, those first that are due first.
func countUnsettled(ctx context.Context, db *postgres.DB) ([]unsettled, error) {
	counts, err := postgres.Planned(ctx, db, pgx.RowToStructByPos[unsettled], `
		SELECT status, count(*), min(updated_at)
		FROM (SELECT status, updated_at FROM payments WHERE due_at IS NOT NULL ORDER BY due_at LIMIT $1) AS first
		GROUP BY status`, countedMost)
	if err != nil {
		return nil, fmt.Errorf("count payments: %w", err)
	}
	return counts, nil
}
