package audit

import (
	"context"
	"fmt"
)

func openOrders(d *database, s *shelves) {
	orders, timeline := d.orders(), d.timeline()
	promises := rows(d, func(p Promise) string { return p.OrderID }, func(p *Promise) []any {
		return []any{&p.Customer, &p.Key, &p.OrderID}
	}, `
		SELECT customer_id, key, order_id::text
		FROM idempotency_keys
		ORDER BY order_id`)
	s.add("orders", func(ctx context.Context, bound string, part *Books) (err error) {
		part.Orders, err = withTimelines(ctx, orders, timeline, bound)
		return err
	})
	log := rows(d, func(e LogEntry) string { return e.OrderID }, func(e *LogEntry) []any {
		return []any{&e.OrderID, &e.At, &e.Operator, &e.What, &e.Why}
	}, `
		SELECT order_id::text, at, operator, what, why
		FROM operator_log
		ORDER BY operator_log.order_id, seq`)
	s.add("idempotency keys", promises.into(func(b *Books) *[]Promise { return &b.Promises }))
	s.add("operators' log", log.into(func(b *Books) *[]LogEntry { return &b.Log }))
	s.catalogues = append(s.catalogues, func(ctx context.Context, into *Books) (err error) {
		into.Catalogue, err = collect(ctx, d.tx, func(p *Product) []any {
			return []any{&p.SKU, &p.Name, &p.Price.Amount, &p.Price.Currency, &p.Version, &p.Retired}
		}, `
			SELECT sku, name, price_amount, price_currency, version, retired
			FROM catalogue
			ORDER BY sku`)
		return wrap("catalogue", err)
	})
}

func (d *database) orders() *sorted[Order] {
	return rows(d, func(o Order) string { return o.ID }, func(o *Order) []any {
		return []any{
			&o.ID, &o.Customer, &o.Status, &o.Reason, &o.Lines, &o.Total.Amount, &o.Total.Currency, &o.PaymentStatus,
			&o.Paid.Amount, &o.Paid.Currency, &o.TrackingNumber, &o.Seq, &o.AttentionSince, &o.DueAt, &o.Overdue, &o.PlacedAt,
		}
	}, `
		SELECT id::text, customer_id, status, reason, lines, total_amount, total_currency, payment ->> 'status',
			coalesce((payment #>> '{amount,amount}')::bigint, 0), coalesce(payment #>> '{amount,currency}', ''),
			coalesce(shipment ->> 'tracking_number', ''), seq, attention_since,
			due_at, coalesce(due_at < now() - interval '15 seconds', false), created_at
		FROM orders
		ORDER BY orders.id`)
}

func (d *database) timeline() *sorted[TimelineEntry] {
	return rows(d, func(e TimelineEntry) string { return e.OrderID }, func(e *TimelineEntry) []any {
		return []any{&e.OrderID, &e.Seq, &e.At, &e.Status, &e.What, &e.Operator, &e.Why}
	}, `
		SELECT order_id::text, seq, at, status, what, operator, why
		FROM timeline
		ORDER BY timeline.order_id, seq`)
}

func withTimelines(ctx context.Context, orders *sorted[Order], timeline *sorted[TimelineEntry], bound string) ([]Order, error) {
	found, err := orders.below(ctx, bound)
	if err != nil {
		return nil, err
	}
	entries, err := timeline.below(ctx, bound)
	if err != nil {
		return nil, wrap("timeline", err)
	}
	of := group(entries, func(e TimelineEntry) string { return e.OrderID })
	for i := range found {
		found[i].Timeline = of[found[i].ID]
	}
	return found, nil
}

func openPayments(d *database, s *shelves) {
	payments := rows(d, func(p Payment) string { return p.OrderID }, func(p *Payment) []any {
		return []any{&p.OrderID, &p.Status, &p.Amount.Amount, &p.Amount.Currency, &p.Code, &p.ChargeID, &p.RefundID, &p.LastError, &p.DueAt, &p.SettledBy, &p.SettledWhy}
	}, `
		SELECT order_id::text, status, amount, currency, code, charge_id, refund_id, last_error, due_at, settled_by, settled_why
		FROM payments
		ORDER BY payments.order_id`)
	s.add("payments", payments.into(func(b *Books) *[]Payment { return &b.Payments }))
}

func openInventory(d *database, s *shelves) {
	reservations := rows(d, func(r Reservation) string { return r.OrderID }, func(r *Reservation) []any {
		return []any{&r.OrderID, &r.Status, &r.Lines}
	}, `
		SELECT r.order_id::text, r.status,
			coalesce(jsonb_agg(jsonb_build_object('sku', l.sku, 'quantity', l.quantity)) FILTER (WHERE l.sku IS NOT NULL), '[]')
		FROM reservations AS r
		LEFT JOIN reservation_lines AS l USING (order_id)
		GROUP BY r.order_id
		ORDER BY r.order_id`)
	movements := rows(d, func(m Movement) string { return m.Reference }, func(m *Movement) []any {
		return []any{&m.Reference, &m.SKU, &m.Operator, &m.What, &m.Quantity, &m.At}
	}, `
		SELECT reference, sku, operator, what, quantity, at
		FROM stock_movements
		ORDER BY reference COLLATE "C", at`)
	supplies := rows(d, func(s Supply) string { return s.ID }, func(s *Supply) []any {
		return []any{&s.ID, &s.SKU, &s.Quantity, &s.Status}
	}, `
		SELECT id::text, sku, quantity, status
		FROM supplier_orders
		ORDER BY supplier_orders.id`)
	s.add("reservations", reservations.into(func(b *Books) *[]Reservation { return &b.Reservations }))
	s.add("stock movements", movements.into(func(b *Books) *[]Movement { return &b.Movements }))
	s.add("supplier orders", supplies.into(func(b *Books) *[]Supply { return &b.Supplies }))
	s.catalogues = append(s.catalogues, func(ctx context.Context, into *Books) (err error) {
		into.Products, err = collect(ctx, d.tx, func(p *Product) []any {
			return []any{
				&p.SKU, &p.Name, &p.Price.Amount, &p.Price.Currency, &p.Version, &p.Retired,
				&p.Available, &p.Reserved, &p.Backordered, &p.OnOrder, &p.Kept,
			}
		}, `
			SELECT sku, name, price_amount, price_currency, version, retired, available, reserved, backordered, on_order, kept
			FROM products
			ORDER BY sku`)
		return wrap("products", err)
	})
}

func openShipping(d *database, s *shelves) {
	shipments := rows(d, func(s Shipment) string { return s.OrderID }, func(s *Shipment) []any {
		return []any{&s.OrderID, &s.Status, &s.Reason, &s.TrackingNumber, &s.Lines, &s.Stages, &s.LastError, &s.DueAt, &s.SettledBy, &s.SettledWhy}
	}, `
		SELECT order_id::text, status, reason, tracking_number, lines, stages, last_error, due_at, settled_by, settled_why
		FROM shipments
		ORDER BY shipments.order_id`)
	s.add("shipments", shipments.into(func(b *Books) *[]Shipment { return &b.Shipments }))
}

// Orders reads all orders with their timelines into memory.
func Orders(ctx context.Context, sources Sources) ([]Order, error) {
	var s shelves
	defer s.close()
	d, err := s.connect(ctx, "orders", sources.Databases["orders"])
	if err != nil {
		return nil, fmt.Errorf("read the database of orders: %w", err)
	}
	return withTimelines(ctx, d.orders(), d.timeline(), unbounded)
}
