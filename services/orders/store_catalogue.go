package main

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/jackc/pgx/v5"

	"example.com/orderflow/pkg/messages"
	"example.com/orderflow/pkg/postgres"
	"example.com/orderflow/pkg/unit"
)

// product is orders' copy of a product of inventory.
type product struct {
	SKU     string
	Version int64
	Name    string
	Price   messages.Money
	Retired bool
}

// productTable has the columns of catalogue.
var productTable = postgres.NewTable(func(p *product, column postgres.Column) {
	column("sku text", &p.SKU)
	column("version bigint", &p.Version)
	column("name text", &p.Name)
	column("price_amount bigint", &p.Price.Amount)
	column("price_currency text", &p.Price.Currency)
	column("retired boolean", &p.Retired)
})

// loadProducts queues the query for those of the named products that exist, and for one more, which shows whether the catalogue
// has any products at all.
func loadProducts(tx *postgres.Tx, products *unit.Rows[string, product], stocked *bool) {
	skus := products.Named()
	if len(skus) == 0 {
		return
	}
	postgres.Rows(tx, productTable.Scan, func(p product) {
		*stocked = true
		products.Loaded(p.SKU, p)
	}, `
		SELECT `+productTable.Columns+`
		FROM catalogue
		WHERE sku = ANY($1)
		UNION ALL
		(SELECT `+productTable.Columns+` FROM catalogue LIMIT 1)`, skus)
}

// countProducts counts the catalogue, up to 1000 products: a larger number tells nothing more and takes longer.
func countProducts(ctx context.Context, db *postgres.DB) (n int, err error) {
	n, err = postgres.ReadOne(ctx, db, pgx.RowTo[int], `
		SELECT count(*)
		FROM (SELECT FROM catalogue LIMIT 1000) AS first`)
	if err != nil {
		return 0, fmt.Errorf("count catalogue: %w", err)
	}
	return n, nil
}

// keepProducts queues the statement that stores products, except those of which a later version has arrived before.
func keepProducts(tx *postgres.Tx, changes map[string]messages.ProductChanged) {
	if len(changes) == 0 {
		return
	}
	var all []product
	for _, sku := range slices.Sorted(maps.Keys(changes)) { // sorted: a fixed order of locks
		m := changes[sku]
		all = append(all, product{m.SKU, m.Version, m.Name, m.Price, m.Retired})
	}
	tx.Queue(`
		INSERT INTO catalogue (`+productTable.Columns+`)
		SELECT *
		FROM `+productTable.Rows+`
		ON CONFLICT (sku) DO UPDATE
		SET `+productTable.Excluded+`
		WHERE catalogue.version < excluded.version`, productTable.Values(all)...)
}
