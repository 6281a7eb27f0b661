package main

import (
	"context"

	"github.com/google/uuid"

	"example.com/orderflow/pkg/tally"
)

// books counts the reservations of the orders since one.
func (w *warehouse) books(ctx context.Context, since uuid.UUID) (tally.Tally, error) {
	return tally.Count(ctx, w.db, "reservations", since, `
		SELECT status, '', count(*), 0::bigint
		FROM (SELECT status FROM reservations WHERE order_id >= $1 ORDER BY order_id DESC LIMIT $2) AS last
		GROUP BY status`)
}
