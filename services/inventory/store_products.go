package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"example.com/orderflow/pkg/fault"
	"github.com/jackc/pgx/v5"
)

const productColumns = `
	sku, name, description, image, price_amount, price_currency, version,
	available, reserved, backordered, on_order, kept, reorder_point, reorder_quantity`

func scanProduct(row pgx.CollectableRow) (p product, err error) {
	s := &p.Stock
	err = row.Scan(&p.SKU, &p.Name, &p.Description, &p.Image, &p.Price.Amount, &p.Price.Currency, &p.Version,
		&s.Available, &s.Reserved, &s.Backordered, &s.OnOrder, &s.Kept, &s.ReorderPoint, &s.ReorderQuantity)
	s.SKU = p.SKU
	return p, err
}

var errNoProduct = fault.New(fault.NotFound, "there is no such product")

// readProduct returns a product. The error is errNoProduct when there is none.
func readProduct(ctx context.Context, q querier, sku string) (product, error) {
	rows, err := q.Query(ctx, `
		SELECT `+productColumns+`
		FROM products
		WHERE sku = $1`, sku)
	if err != nil {
		return product{}, fmt.Errorf("read product: %w", err)
	}
	p, err := pgx.CollectExactlyOneRow(rows, scanProduct)
	if errors.Is(err, pgx.ErrNoRows) {
		return product{}, errNoProduct
	}
	if err != nil {
		return product{}, fmt.Errorf("read product: %w", err)
	}
	return p, nil
}

// insertProduct adds a product with the units that it begins with. added is false when there is one of that SKU already,
// which also means waiting for a transaction that is about to add it.
func insertProduct(ctx context.Context, tx pgx.Tx, p product, now time.Time) (added bool, err error) {
	done, err := tx.Exec(ctx, `
		INSERT INTO products (sku, name, description, image, price_amount, price_currency, available, reorder_point, reorder_quantity, created_at, updated_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $10)
		ON CONFLICT DO NOTHING`, p.SKU, p.Name, p.Description, p.Image, p.Price.Amount, p.Price.Currency,
		p.Stock.Available, p.Stock.ReorderPoint, p.Stock.ReorderQuantity, now)
	if err != nil {
		return false, fmt.Errorf("insert product: %w", err)
	}
	return done.RowsAffected() == 1, nil
}

// updateProduct changes what an operator can change of a product. Its version rises if others would see a difference.
func updateProduct(ctx context.Context, tx pgx.Tx, p product, now time.Time) error {
	_, err := tx.Exec(ctx, `
		UPDATE products
		SET version = version + CASE WHEN (name, description, price_amount, price_currency) = ($2, $3, $4, $5) THEN 0 ELSE 1 END,
			name = $2, description = $3, price_amount = $4, price_currency = $5,
			reorder_point = $6, reorder_quantity = $7,
			updated_at = $8
		WHERE sku = $1`, p.SKU, p.Name, p.Description, p.Price.Amount, p.Price.Currency, p.Stock.ReorderPoint, p.Stock.ReorderQuantity, now)
	if err != nil {
		return fmt.Errorf("update product: %w", err)
	}
	return nil
}
