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

const paymentColumns = `
	order_id, amount, currency, method, status, code, charge_id, refund_id, due_at, attempts, asked_at, last_error, origin,
	created_at, updated_at, settled_by, settled_why, settled_at`

// paymentRows turns arrays, one for each of paymentColumns, into rows.
const paymentRows = `
	unnest($1::uuid[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::timestamptz[],
		$10::integer[], $11::timestamptz[], $12::text[], $13::jsonb[], $14::timestamptz[], $15::timestamptz[], $16::text[], $17::text[],
		$18::timestamptz[])`

// fields returns pointers to the fields that paymentColumns names.
func (p *payment) fields() []any {
	return []any{
		&p.OrderID, &p.Amount.Amount, &p.Amount.Currency, &p.Method, &p.Status, &p.Code, &p.ChargeID, &p.RefundID,
		&p.DueAt, &p.Attempts, &p.AskedAt, &p.LastError, &p.Origin, &p.CreatedAt, &p.UpdatedAt,
		&p.SettledBy, &p.SettledWhy, &p.SettledAt,
	}
}

func scanPayment(row pgx.CollectableRow) (p payment, err error) {
	err = row.Scan(p.fields()...)
	return p, err
}

var errNoPayment = fault.New(fault.NotFound, "there is no payment of such an order")

// readPayment returns the payment of an order. The error is errNoPayment when there is none.
func readPayment(ctx context.Context, q querier, orderID string) (payment, error) {
	rows, err := q.Query(ctx, `
		SELECT `+paymentColumns+`
		FROM payments
		WHERE order_id = $1`, orderID)
	if err != nil {
		return payment{}, fmt.Errorf("read payment: %w", err)
	}
	p, err := pgx.CollectExactlyOneRow(rows, scanPayment)
	if errors.Is(err, pgx.ErrNoRows) {
		return payment{}, errNoPayment
	}
	return p, err
}

// loadPayments queues the query that locks and reads the named payments: no other transaction can change them until tx has
// ended.
func loadPayments(tx *postgres.Tx, payments *unit.Rows[string, payment]) {
	postgres.Rows(tx, scanPayment, func(p payment) { payments.Loaded(p.OrderID, p) }, `
		SELECT `+paymentColumns+`
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
			INSERT INTO payments (`+paymentColumns+`)
			SELECT *
			FROM `+paymentRows, unit.Columns(added, (*payment).fields)...)
	}
	if len(changed) > 0 {
		tx.Queue(`
			UPDATE payments AS p
			SET amount = n.amount, currency = n.currency, method = n.method, status = n.status, code = n.code, charge_id = n.charge_id,
				refund_id = n.refund_id, due_at = n.due_at, attempts = n.attempts, asked_at = n.asked_at, last_error = n.last_error,
				origin = n.origin, updated_at = n.updated_at,
				settled_by = n.settled_by, settled_why = n.settled_why, settled_at = n.settled_at
			FROM `+paymentRows+` AS n (`+paymentColumns+`)
			WHERE p.order_id = n.order_id`, unit.Columns(changed, (*payment).fields)...)
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
		RETURNING `+paymentColumns+`, due.before`, now, limit, now.Add(lease))
	if err != nil {
		return nil, fmt.Errorf("claim payments: %w", err)
	}
	return claims, nil
}

func scanClaim(row pgx.CollectableRow) (c claim, err error) {
	err = row.Scan(append(c.fields(), &c.Before)...)
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
