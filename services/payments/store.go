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

const paymentColumns = `
	order_id, amount, currency, method, status, code, charge_id, refund_id, due_at, attempts, asked_at, trouble, origin,
	created_at, updated_at, settled_by, settled_why, settled_at`

// fields are where paymentColumns go to.
func (p *payment) fields() []any {
	return []any{
		&p.OrderID, &p.Amount.Amount, &p.Amount.Currency, &p.Method, &p.Status, &p.Code, &p.ChargeID, &p.RefundID,
		&p.DueAt, &p.Attempts, &p.AskedAt, &p.Trouble, &p.Origin, &p.CreatedAt, &p.UpdatedAt,
		&p.SettledBy, &p.SettledWhy, &p.SettledAt,
	}
}

func onePayment(rows pgx.Rows, err error) (payment, error) {
	if err != nil {
		return payment{}, fmt.Errorf("read payment: %w", err)
	}
	p, err := pgx.CollectExactlyOneRow(rows, func(row pgx.CollectableRow) (p payment, err error) {
		return p, row.Scan(p.fields()...)
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return payment{}, errNoPayment
	}
	if err != nil {
		return payment{}, fmt.Errorf("read payment: %w", err)
	}
	return p, nil
}

var errNoPayment = fault.New(fault.NotFound, "there is no payment of such an order")

// readPayment returns the payment of an order. The error is errNoPayment when there is none.
func readPayment(ctx context.Context, q querier, orderID string) (payment, error) {
	return onePayment(q.Query(ctx, `
		SELECT `+paymentColumns+`
		FROM payments
		WHERE order_id = $1`, orderID))
}

// lockPayment returns a payment that nobody else changes until tx has ended. The error is errNoPayment when there is none.
func lockPayment(ctx context.Context, tx pgx.Tx, orderID string) (payment, error) {
	return onePayment(tx.Query(ctx, `
		SELECT `+paymentColumns+`
		FROM payments
		WHERE order_id = $1
		FOR UPDATE`, orderID))
}

// insertPayment fails when somebody else has just done it: the message is handled again then, and finds his.
func insertPayment(ctx context.Context, tx pgx.Tx, p payment) error {
	_, err := tx.Exec(ctx, `
		INSERT INTO payments (`+paymentColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)`, p.fields()...)
	if err != nil {
		return fmt.Errorf("insert payment: %w", err)
	}
	return nil
}

func updatePayment(ctx context.Context, tx pgx.Tx, p payment) error {
	_, err := tx.Exec(ctx, `
		UPDATE payments
		SET amount = $2, currency = $3, method = $4, status = $5, code = $6, charge_id = $7, refund_id = $8,
			due_at = $9, attempts = $10, asked_at = $11, trouble = $12, origin = $13, created_at = $14, updated_at = $15,
			settled_by = $16, settled_why = $17, settled_at = $18
		WHERE order_id = $1`, p.fields()...)
	if err != nil {
		return fmt.Errorf("update payment: %w", err)
	}
	return nil
}

// claimPayments leases up to limit payments that are due. From now on the provider may be asked to charge or refund them;
// of a payment that was given up it will only be asked what has become of the charge.
func claimPayments(ctx context.Context, q querier, limit int, now time.Time, lease time.Duration) ([]claim, error) {
	rows, err := q.Query(ctx, `
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
	claims, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (c claim, err error) {
		return c, row.Scan(append(c.fields(), &c.Before)...)
	})
	if err != nil {
		return nil, fmt.Errorf("claim payments: %w", err)
	}
	return claims, nil
}

// unsettled is the payments of one status that are not settled.
type unsettled struct {
	Status status
	Count  int64
	Oldest time.Time
}

// countUnsettled counts the payments that are not settled, by status, and says since when the oldest is in it.
func countUnsettled(ctx context.Context, q querier) ([]unsettled, error) {
	rows, err := q.Query(ctx, `
		SELECT status, count(*), min(updated_at)
		FROM payments
		WHERE due_at IS NOT NULL
		GROUP BY status`)
	if err != nil {
		return nil, fmt.Errorf("count payments: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[unsettled])
}
