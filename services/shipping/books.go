package main

import (
	"context"

	"github.com/google/uuid"

	"example.com/orderflow/pkg/tally"
)

// books counts the shipments of the orders since one.
func (d *dock) books(ctx context.Context, since uuid.UUID) (tally.Tally, error) {
	return tally.Count(ctx, d.db, "shipments", since, `
		SELECT status, '', count(*), 0::bigint
		FROM (SELECT status FROM shipments WHERE order_id >= $1 ORDER BY order_id DESC LIMIT $2) AS last
		GROUP BY status`)
}
