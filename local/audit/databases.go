package audit

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

func readOrders(ctx context.Context, tx pgx.Tx, b *Books) (err error) {
	b.Orders, err = collect(ctx, tx, func(o *Order) []any {
		return []any{
			&o.ID, &o.Customer, &o.Status, &o.Reason, &o.Lines, &o.Total.Amount, &o.Total.Currency, &o.PaymentStatus,
			&o.Paid.Amount, &o.Paid.Currency, &o.TrackingNumber, &o.Seq, &o.AttentionSince, &o.PlacedAt,
		}
	}, `
		SELECT id::text, customer_id, status, reason, lines, total_amount, total_currency, payment ->> 'status',
			coalesce((payment #>> '{amount,amount}')::bigint, 0), coalesce(payment #>> '{amount,currency}', ''),
			coalesce(shipment ->> 'tracking_number', ''), seq, attention_since, created_at
		FROM orders
		ORDER BY id`)
	if err != nil {
		return fmt.Errorf("orders: %w", err)
	}
	timeline, err := collect(ctx, tx, func(e *TimelineEntry) []any {
		return []any{&e.OrderID, &e.Seq, &e.At, &e.Status, &e.What, &e.Operator, &e.Why}
	}, `
		SELECT order_id::text, seq, at, status, what, operator, why
		FROM timeline
		ORDER BY order_id, seq`)
	if err != nil {
		return fmt.Errorf("timeline: %w", err)
	}
	entries := all(timeline, func(e TimelineEntry) string { return e.OrderID })
	for i := range b.Orders {
		b.Orders[i].Timeline = entries[b.Orders[i].ID]
	}
	b.Promises, err = collect(ctx, tx, func(p *Promise) []any { return []any{&p.Customer, &p.Key, &p.OrderID} }, `
		SELECT customer_id, key, order_id::text
		FROM idempotency_keys
		ORDER BY order_id`)
	if err != nil {
		return fmt.Errorf("idempotency keys: %w", err)
	}
	b.Catalogue, err = collect(ctx, tx, func(p *Product) []any {
		return []any{&p.SKU, &p.Name, &p.Price.Amount, &p.Price.Currency, &p.Version}
	}, `
		SELECT sku, name, price_amount, price_currency, version
		FROM catalogue
		ORDER BY sku`)
	return err
}

func readPayments(ctx context.Context, tx pgx.Tx, b *Books) (err error) {
	b.Payments, err = collect(ctx, tx, func(p *Payment) []any {
		return []any{&p.OrderID, &p.Status, &p.Amount.Amount, &p.Amount.Currency, &p.Code, &p.ChargeID, &p.RefundID, &p.Trouble, &p.DueAt, &p.SettledBy, &p.SettledWhy}
	}, `
		SELECT order_id::text, status, amount, currency, code, charge_id, refund_id, trouble, due_at, settled_by, settled_why
		FROM payments
		ORDER BY order_id`)
	return err
}

func readInventory(ctx context.Context, tx pgx.Tx, b *Books) (err error) {
	b.Products, err = collect(ctx, tx, func(p *Product) []any {
		return []any{
			&p.SKU, &p.Name, &p.Price.Amount, &p.Price.Currency, &p.Version,
			&p.Available, &p.Reserved, &p.Backordered, &p.OnOrder,
		}
	}, `
		SELECT sku, name, price_amount, price_currency, version, available, reserved, backordered, on_order
		FROM products
		ORDER BY sku`)
	if err != nil {
		return fmt.Errorf("products: %w", err)
	}
	b.Reservations, err = collect(ctx, tx, func(r *Reservation) []any { return []any{&r.OrderID, &r.Status, &r.Lines} }, `
		SELECT r.order_id::text, r.status,
			coalesce(jsonb_agg(jsonb_build_object('sku', l.sku, 'quantity', l.quantity)) FILTER (WHERE l.sku IS NOT NULL), '[]')
		FROM reservations AS r
		LEFT JOIN reservation_lines AS l USING (order_id)
		GROUP BY r.order_id
		ORDER BY r.order_id`)
	if err != nil {
		return fmt.Errorf("reservations: %w", err)
	}
	b.Movements, err = collect(ctx, tx, func(m *Movement) []any {
		return []any{&m.Reference, &m.SKU, &m.Operator, &m.What, &m.Quantity, &m.At}
	}, `
		SELECT reference, sku, operator, what, quantity, at
		FROM stock_movements
		ORDER BY sku, at`)
	if err != nil {
		return fmt.Errorf("stock movements: %w", err)
	}
	b.Supplies, err = collect(ctx, tx, func(s *Supply) []any { return []any{&s.ID, &s.SKU, &s.Quantity, &s.Status} }, `
		SELECT id::text, sku, quantity, status
		FROM supplier_orders
		ORDER BY id`)
	return err
}

func readShipping(ctx context.Context, tx pgx.Tx, b *Books) (err error) {
	b.Shipments, err = collect(ctx, tx, func(s *Shipment) []any {
		return []any{&s.OrderID, &s.Status, &s.Reason, &s.TrackingNumber, &s.Lines, &s.Stages, &s.Trouble, &s.DueAt, &s.SettledBy, &s.SettledWhy}
	}, `
		SELECT order_id::text, status, reason, tracking_number, lines, stages, trouble, due_at, settled_by, settled_why
		FROM shipments
		ORDER BY order_id`)
	return err
}
