package main

import (
	"context"

	"github.com/google/uuid"

	"example.com/orderflow/pkg/tally"
)

// books counts the payments of the orders since one. Those that a person has settled, and the provider has not, have a status of
// their own.
func (t *till) books(ctx context.Context, since uuid.UUID) (tally.Tally, error) {
	return tally.Count(ctx, t.db, "payments", since, `
		SELECT CASE WHEN settled_at IS NOT NULL AND refund_id = '' THEN 'settled_by_hand' ELSE status END, currency, count(*), sum(amount)::bigint
		FROM (
			SELECT status, currency, amount, settled_at, refund_id
			FROM payments
			WHERE order_id >= $1
			ORDER BY order_id DESC
			LIMIT $2) AS last
		GROUP BY 1, currency`)
}
