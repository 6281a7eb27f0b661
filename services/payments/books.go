package main

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"example.com/orderflow/pkg/postgres"
	"example.com/orderflow/pkg/tally"
)

// books counts the payments of the orders since one. Those that a person has settled, and the provider has not, have a status of
// their own.
func (t *till) books(ctx context.Context, since uuid.UUID) (tally.Tally, error) {
	rows, err := postgres.Planned(ctx, t.db, pgx.RowToStructByPos[tally.Row], `
		SELECT CASE WHEN settled_at IS NOT NULL AND refund_id = '' THEN 'settled_by_hand' ELSE status END, currency, count(*), sum(amount)::bigint
		FROM (
			SELECT status, currency, amount, settled_at, refund_id
			FROM payments
			WHERE order_id >= $1
			ORDER BY order_id DESC
			LIMIT $2) AS last
		GROUP BY 1, currency`, since, tally.Most)
	if err != nil {
		return tally.Tally{}, fmt.Errorf("count payments: %w", err)
	}
	return tally.Tally{Since: since, Rows: rows}, nil
}
