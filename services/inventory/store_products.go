package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"example.com/orderflow/pkg/fault"
	"example.com/orderflow/pkg/postgres"
	"example.com/orderflow/pkg/unit"
	"github.com/jackc/pgx/v5"
)

const productColumns = `
	sku, name, description, image, price_amount, price_currency, version,
	available, reserved, backordered, on_order, kept, reorder_point, reorder_quantity, retired`

func scanProduct(row pgx.CollectableRow) (p product, err error) {
	s := &p.Stock
	err = row.Scan(&p.SKU, &p.Name, &p.Description, &p.Image, &p.Price.Amount, &p.Price.Currency, &p.Version,
		&s.Available, &s.Reserved, &s.Backordered, &s.OnOrder, &s.Kept, &s.ReorderPoint, &s.ReorderQuantity, &p.Retired)
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

// loadProducts queues the query for the named products, as far as they exist. They are locked.
func loadProducts(tx *postgres.Tx, products *unit.Rows[string, product]) {
	skus := products.Named()
	if len(skus) == 0 {
		return
	}
	postgres.Rows(tx, scanProduct, func(p product) { products.Loaded(p.SKU, p) }, `
		SELECT `+productColumns+`
		FROM products
		WHERE sku = ANY($1)`, skus)
}

// saveProducts queues the statements that add new products, without units (saveStock writes those), and that update what
// operators decide about the others. It fails if another transaction has just added a product with the same SKU; the decision
// is then made again and finds it.
func saveProducts(tx *postgres.Tx, products *unit.Rows[string, product], now time.Time) {
	bySKU := func(a, b product) int { return strings.Compare(a.SKU, b.SKU) }
	fields := func(p *product) []any {
		return []any{&p.SKU, &p.Name, &p.Description, &p.Image, &p.Price.Amount, &p.Price.Currency, &p.Version, &p.Stock.ReorderPoint, &p.Stock.ReorderQuantity, &p.Retired}
	}
	added, changed := products.Changes()
	slices.SortFunc(added, bySKU) // a fixed order of locks: transactions that add the same products wait for each other
	if len(added) > 0 {
		tx.Queue(`
			INSERT INTO products (sku, name, description, image, price_amount, price_currency, version, reorder_point, reorder_quantity, retired, created_at, updated_at)
			SELECT p.*, $11, $11
			FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::bigint[], $8::bigint[], $9::bigint[], $10::boolean[]) AS p`,
			append(unit.Columns(added, fields), now)...)
	}
	if len(changed) > 0 {
		tx.Queue(`
			UPDATE products AS p
			SET name = n.name, description = n.description, image = n.image, price_amount = n.price_amount, price_currency = n.price_currency,
				version = n.version, reorder_point = n.reorder_point, reorder_quantity = n.reorder_quantity, retired = n.retired, updated_at = $11
			FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::text[], $7::bigint[], $8::bigint[], $9::bigint[], $10::boolean[])
				AS n (sku, name, description, image, price_amount, price_currency, version, reorder_point, reorder_quantity, retired)
			WHERE p.sku = n.sku`, append(unit.Columns(changed, fields), now)...)
	}
}
