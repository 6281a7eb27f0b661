package main

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"example.com/orderflow/pkg/postgres"
	"example.com/orderflow/pkg/tally"
)

// books counts the orders since one, or the last ones if since is the zero id. It also looks for orders that were accepted and
// are not there: each has been remembered under its customer's key in the transaction that has written it.
func (s *shop) books(ctx context.Context, since uuid.UUID) (t tally.Tally, err error) {
	t.Since = since
	if since == uuid.Nil {
		if t.Since, err = firstOfLast(ctx, s.db, tally.Window); err != nil {
			return t, err
		}
	}
	t, err = tally.Count(ctx, s.db, "orders", t.Since, `
		SELECT status, total_currency, count(*), sum(total_amount)::bigint
		FROM (SELECT status, total_currency, total_amount FROM orders WHERE id >= $1 ORDER BY id DESC LIMIT $2) AS last
		GROUP BY status, total_currency`)
	if err != nil {
		return t, err
	}
	const lostMost = 20
	begun, _ := t.Since.Time().UnixTime()
	t.Lost, err = postgres.Planned(ctx, s.db, pgx.RowTo[uuid.UUID], `
		SELECT order_id
		FROM idempotency_keys AS k
		WHERE created_at >= to_timestamp($1) AND order_id >= $2 AND NOT EXISTS (SELECT FROM orders WHERE id = k.order_id)
		LIMIT $3`, begun-1, t.Since, lostMost)
	if err != nil {
		return t, fmt.Errorf("look for lost orders: %w", err)
	}
	return t, nil
}

// firstOfLast returns the id of the first of the last n orders; the zero id if there are not so many.
func firstOfLast(ctx context.Context, db *postgres.DB, n int) (uuid.UUID, error) {
	ids, err := postgres.Planned(ctx, db, pgx.RowTo[uuid.UUID], `
		SELECT id
		FROM orders
		ORDER BY id DESC
		OFFSET $1
		LIMIT 1`, n-1)
	if err != nil {
		return uuid.Nil, fmt.Errorf("find the first of the last orders: %w", err)
	}
	if len(ids) == 0 {
		return uuid.Nil, nil
	}
	return ids[0], nil
}
