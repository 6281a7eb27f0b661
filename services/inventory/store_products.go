package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"example.com/orderflow/pkg/fault"
	"example.com/orderflow/pkg/postgres"
	"example.com/orderflow/pkg/unit"
)

// productTable has the columns of products that the catalogue shows. The others are in stockTable.
var productTable = postgres.NewTable(func(p *product, column postgres.Column) {
	column("sku text", &p.SKU)
	column("name text", &p.Name)
	column("description text", &p.Description)
	column("image text", &p.Image)
	column("price_amount bigint", &p.Price.Amount)
	column("price_currency text", &p.Price.Currency)
	column("version bigint", &p.Version)
	column("retired boolean", &p.Retired)
	column("created_at timestamptz fixed", &p.CreatedAt)
	column("updated_at timestamptz", &p.UpdatedAt)
})

var productColumns = productTable.Columns + ", " + stockTable.Rest

// fields returns pointers to the fields of productColumns.
func (p *product) fields() []any {
	return append(productTable.Fields(p), stockTable.Fields(&p.Stock)[1:]...)
}

func scanProduct(row pgx.CollectableRow) (p product, err error) {
	err = row.Scan(p.fields()...)
	p.Stock.SKU = p.SKU
	return p, err
}

var errNoProduct = fault.New(fault.NotFound, "there is no such product")

// readProduct returns a product. The error is errNoProduct when there is none.
func readProduct(ctx context.Context, db postgres.Querier, sku string) (product, error) {
	p, err := postgres.ReadOne(ctx, db, scanProduct, `
		SELECT `+productColumns+`
		FROM products
		WHERE sku = $1`, sku)
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

// saveProducts queues the statements that add new products, without units, and that update what the catalogue shows of the
// others; saveStock writes the rest. It fails if another transaction has just added a product with the same SKU; the decision is
// then made again and finds it.
func saveProducts(tx *postgres.Tx, products *unit.Rows[string, product]) {
	added, changed := products.Changes()
	slices.SortFunc(added, func(a, b product) int { return strings.Compare(a.SKU, b.SKU) }) // a fixed order of locks: transactions that add the same products wait for each other
	if len(added) > 0 {
		tx.Queue(`
			INSERT INTO products (`+productTable.Columns+`, reorder_point, reorder_quantity)
			SELECT *, 0, 0
			FROM `+productTable.Rows, productTable.Values(added)...)
	}
	if len(changed) > 0 {
		tx.Queue(`
			UPDATE products AS p
			SET `+productTable.Set+`
			FROM `+productTable.Changes+`
			WHERE p.sku = n.sku`, productTable.Changed(changed)...)
	}
}
