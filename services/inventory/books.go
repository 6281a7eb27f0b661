package main

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"example.com/orderflow/pkg/postgres"
	"example.com/orderflow/pkg/tally"
)

// books counts the reservations of the orders since one.
func (w *warehouse) books(ctx context.Context, since uuid.UUID) (tally.Tally, error) {
	rows, err := postgres.Planned(ctx, w.db, pgx.RowToStructByPos[tally.Row], `
		SELECT status, '', count(*), 0::bigint
		FROM (SELECT status FROM reservations WHERE order_id >= $1 ORDER BY order_id DESC LIMIT $2) AS last
		GROUP BY status`, since, tally.Most)
	if err != nil {
		return tally.Tally{}, fmt.Errorf("count reservations: %w", err)
	}
	return tally.Tally{Since: since, Rows: rows}, nil
}
