package main

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"example.com/orderflow/pkg/postgres"
)

const (
	endOfID = 8 // characters that pages show of an id, and the fewest by which an order is found

	// lookedAtMost is how many orders a page of the list looks at for a product. No index has the products of orders: they are
	// in a JSON column, and such an index would be written anew at each change of an order.
	lookedAtMost = 5000

	// clockMargin is more than the time between the making of an order's id and its created_at.
	clockMargin = time.Second
)

// search is what an operator looks for: orders that fit all of its fields. Empty fields fit every order.
type search struct {
	Status    *status
	Customer  *string
	End       *string // the id, or its end of at least endOfID characters
	Tracking  *string // tracking number
	SKU       *string
	From, To  *time.Time // when it was placed; To is not included
	Attention bool
	Before    string // the id of the last order on the page before
}

// ids returns the first and the last id that orders placed between From and To can have: an id begins with its time.
func (s search) ids() (first, last string) {
	bound := func(t *time.Time, margin time.Duration, rest, none string) string {
		if t == nil {
			return none
		}
		ms := min(max(t.Add(margin).UnixMilli(), 0), 1<<48-1)
		return fmt.Sprintf("%08x-%04x-%s", ms>>16, ms&0xffff, rest)
	}
	return bound(s.From, -clockMargin, "0000-0000-000000000000", uuid.Nil.String()), bound(s.To, clockMargin, "ffff-ffff-ffffffffffff", uuid.Max.String())
}

// foundStatement is planned for its arguments, so a field that is empty costs nothing.
var foundStatement = `
	SELECT ` + orderTable.Columns + `, nth, fits
	FROM (
		SELECT *, row_number() OVER (ORDER BY id DESC) AS nth,
			$1::text IS NULL OR lines @> jsonb_build_array(jsonb_build_object('sku', $1::text)) AS fits
		FROM orders
		WHERE id < $2 AND id >= $3 AND id <= $4
			AND ($5::timestamptz IS NULL OR created_at >= $5)
			AND ($6::timestamptz IS NULL OR created_at < $6)
			AND ($7::text IS NULL OR customer_id = $7)
			AND ($8::text IS NULL OR status = $8)
			AND ($8::text IS NULL OR $8 IN ('delivered', 'cancelled') OR id = ANY(ARRAY(
				SELECT id
				FROM (SELECT id, status FROM orders WHERE due_at IS NOT NULL ORDER BY due_at LIMIT $12) AS first
				WHERE status = $8)))
			AND ($9::text IS NULL OR right(id::text, length($9)) = $9 AND id = ANY(ARRAY(
				SELECT order_id FROM timeline WHERE seq = 1 AND right(order_id::text, 8) = right($9, 8))))
			AND ($10::text IS NULL OR id = ANY(ARRAY(
				SELECT id FROM orders WHERE shipment ->> 'tracking_number' = $10)))
			AND (NOT $11 OR id = ANY(ARRAY(
				SELECT id FROM orders WHERE attention_since IS NOT NULL ORDER BY attention_since LIMIT $12)))
		ORDER BY id DESC
		LIMIT $13
	) AS looked
	WHERE fits OR nth = $13
	ORDER BY id DESC
	LIMIT $14`

func (s search) arguments(look, limit int) []any {
	first, last := s.ids()
	return []any{
		s.SKU, cmp.Or(s.Before, uuid.Max.String()), first, last, s.From, s.To, s.Customer, s.Status, s.End, s.Tracking, s.Attention,
		countedMost, look, limit,
	}
}

// findOrders returns orders that fit a search, newest first. An index answers each field but SKU: at most lookedAtMost of the
// orders that fit the other fields are looked at for it. If that was not all of them, behind is the id of the last one.
//
// Of orders under way, and of orders that need attention, only the first countedMost are looked at, which are the same ones that
// countOrders counts.
func findOrders(ctx context.Context, db *postgres.DB, s search, limit int) (found []order, behind string, err error) {
	look := limit
	if s.SKU != nil {
		look = lookedAtMost
	}
	type looked struct {
		order
		Nth  int
		Fits bool
	}
	scan := func(row pgx.CollectableRow) (l looked, err error) {
		err = row.Scan(append(orderTable.Fields(&l.order), &l.Nth, &l.Fits)...)
		return l, err
	}
	rows, err := postgres.Planned(ctx, db, scan, foundStatement, s.arguments(look, limit)...)
	if err != nil {
		return nil, "", fmt.Errorf("find orders: %w", err)
	}
	for _, l := range rows {
		if l.Fits {
			found = append(found, l.order)
		}
		if l.Nth == look || len(rows) == limit {
			behind = l.ID
		}
	}
	return found, behind, nil
}
