package main

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"example.com/orderflow/pkg/postgres"
)

// listing describes a page of the catalogue.
type listing struct {
	Words string // words, or beginnings of words, of the name and the SKU; empty: any product
	Sort  string // one of sorts
	Key   string // sort key of the last product of the previous page: see sortKeys
	SKU   string // SKU of the last product of the previous page
	Limit int
	All   bool // with the products that are retired
}

// listedProduct is a product in a list, together with its sort key.
type listedProduct struct {
	product
	Key string
}

func scanListedProduct(row pgx.CollectableRow) (l listedProduct, err error) {
	err = row.Scan(append(l.fields(), &l.Key)...)
	l.Stock.SKU = l.SKU
	return l, err
}

var sorts = []string{"sku", "name", "price", "-price", "newest"}

// sortKeys are the expressions that lists are sorted by, ascending, as text. Each has an index on exactly this expression.
var sortKeys = map[string]string{
	"sku":    `sku COLLATE "C"`,
	"name":   `lower(name) COLLATE "C"`,
	"price":  `(price_currency || lpad(price_amount::text, 18, '0')) COLLATE "C"`,
	"-price": `(price_currency || lpad((999999999999999999 - price_amount)::text, 18, '0')) COLLATE "C"`,
	"newest": `lpad((99999999999 - extract(epoch FROM created_at AT TIME ZONE 'UTC')::bigint)::text, 11, '0') COLLATE "C"`,
}

// readProducts returns the products of a page. It uses an index, so that a large catalogue takes no longer than a small one.
func readProducts(ctx context.Context, db postgres.Querier, l listing) ([]listedProduct, error) {
	if l.Words != "" {
		return findProducts(ctx, db, l)
	}
	key := sortKeys[l.Sort]
	products, err := postgres.Read(ctx, db, scanListedProduct, `
		SELECT `+productColumns+`, `+key+`
		FROM products
		WHERE (`+key+`, sku COLLATE "C") > ($1, $2) AND (NOT retired OR $4)
		ORDER BY `+key+`, sku COLLATE "C"
		LIMIT $3`, l.Key, l.SKU, l.Limit, l.All)
	if err != nil {
		return nil, fmt.Errorf("read products: %w", err)
	}
	return products, nil
}

// hasWords is true if each word of $4 is the beginning of a word of the product's name or SKU. Its left side is the expression
// of an index.
const hasWords = `
	array_to_tsvector(array_remove(regexp_split_to_array(lower((name || ' ' || sku) COLLATE "und-x-icu"), '[^[:alnum:]]+'), ''))
	@@ replace('''' || nullif(trim(regexp_replace(lower($4 COLLATE "und-x-icu"), '[^[:alnum:]]+', ' ', 'g')), '') || ''':*', ' ', ''':* & ''')::tsquery`

// nearBy is how many products from the cursor on are checked before the index of words is used: a common word is found among
// them.
const nearBy = "500"

// findProducts is readProducts for a search. The index of words does not know the order of the list, so all its matches must be
// sorted: for a word that every product has, that would be the whole catalogue.
func findProducts(ctx context.Context, db postgres.Querier, l listing) ([]listedProduct, error) {
	key := sortKeys[l.Sort]
	near, err := postgres.Read(ctx, db, scanListedProduct, `
		SELECT *
		FROM (
			SELECT `+productColumns+`, `+key+` AS key
			FROM products
			WHERE (`+key+`, sku COLLATE "C") > ($1, $2)
			ORDER BY `+key+`, sku COLLATE "C"
			LIMIT `+nearBy+`) AS near
		WHERE `+hasWords+` AND (NOT retired OR $5)
		ORDER BY key, sku COLLATE "C"
		LIMIT $3`, l.Key, l.SKU, l.Limit, l.Words, l.All)
	if err != nil {
		return nil, fmt.Errorf("find products nearby: %w", err)
	}
	if len(near) == l.Limit {
		return near, nil
	}
	found, err := postgres.Read(ctx, db, scanListedProduct, `
		WITH found AS MATERIALIZED (
			SELECT sku, `+key+` AS key
			FROM products
			WHERE `+hasWords+` AND (NOT retired OR $5)),
		page AS (
			SELECT sku, key
			FROM found
			WHERE (key, sku COLLATE "C") > ($1, $2)
			ORDER BY key, sku COLLATE "C"
			LIMIT $3)
		SELECT `+productColumns+`, key
		FROM page
		JOIN products USING (sku)
		ORDER BY key, sku COLLATE "C"`, l.Key, l.SKU, l.Limit, l.Words, l.All)
	if err != nil {
		return nil, fmt.Errorf("find products: %w", err)
	}
	return found, nil
}

// readProductsOf returns the products with the given SKUs, as far as they exist, that come after the SKU after. They may be
// retired: pages show also what was ordered before.
func readProductsOf(ctx context.Context, db postgres.Querier, skus []string, after string) ([]listedProduct, error) {
	products, err := postgres.Read(ctx, db, scanListedProduct, `
		SELECT `+productColumns+`, sku
		FROM products
		WHERE sku = ANY($1) AND sku COLLATE "C" > $2
		ORDER BY sku COLLATE "C"`, skus, after)
	if err != nil {
		return nil, fmt.Errorf("read products: %w", err)
	}
	return products, nil
}

// summedMost is how many products are summed up at most: each collection of the metrics takes the time for it.
const summedMost = 10_000

// stockInAll sums up the numbers of at most summedMost products. Metrics with a series for each product would grow with the
// catalogue.
type stockInAll struct {
	Products, SoldOut, WaitedFor              int64
	Available, Reserved, Backordered, OnOrder int64
}

// sumStock sums up the first products, by SKU.
func sumStock(ctx context.Context, db postgres.Querier) (stockInAll, error) {
	all, err := postgres.ReadOne(ctx, db, pgx.RowToStructByPos[stockInAll], `
		SELECT count(*), count(*) FILTER (WHERE available <= kept), count(*) FILTER (WHERE backordered > 0),
			coalesce(sum(available), 0)::bigint, coalesce(sum(reserved), 0)::bigint, coalesce(sum(backordered), 0)::bigint, coalesce(sum(on_order), 0)::bigint
		FROM (SELECT * FROM products ORDER BY sku LIMIT $1) AS first`, summedMost)
	if err != nil {
		return stockInAll{}, fmt.Errorf("sum stock: %w", err)
	}
	return all, nil
}
