package main

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"
)

// listing says which part of the catalogue a page is about.
type listing struct {
	Words string // that name and SKU must have, or begin with; empty: any product
	Sort  string // one of sorts
	Key   string // of the last product of the page before: see sortKey
	SKU   string // and its SKU
	Limit int
}

// listedProduct is a product in a list, with what it is sorted by.
type listedProduct struct {
	product
	Key string
}

func scanListedProduct(row pgx.CollectableRow) (l listedProduct, err error) {
	s := &l.Stock
	err = row.Scan(&l.SKU, &l.Name, &l.Description, &l.Image, &l.Price.Amount, &l.Price.Currency, &l.Version,
		&s.Available, &s.Reserved, &s.Backordered, &s.OnOrder, &s.Kept, &s.ReorderPoint, &s.ReorderQuantity, &l.Key)
	s.SKU = l.SKU
	return l, err
}

var sorts = []string{"sku", "name", "price", "-price", "newest"}

// sortKeys are the texts that lists are sorted by, upwards. Each has an index of just this expression.
var sortKeys = map[string]string{
	"sku":    `sku COLLATE "C"`,
	"name":   `lower(name) COLLATE "C"`,
	"price":  `(price_currency || lpad(price_amount::text, 18, '0')) COLLATE "C"`,
	"-price": `(price_currency || lpad((999999999999999999 - price_amount)::text, 18, '0')) COLLATE "C"`,
	"newest": `lpad((99999999999 - extract(epoch FROM created_at AT TIME ZONE 'UTC')::bigint)::text, 11, '0') COLLATE "C"`,
}

// readProducts returns the products of a page, by an index: it takes as long in a large catalogue as in a small one.
func readProducts(ctx context.Context, q querier, l listing) ([]listedProduct, error) {
	if l.Words != "" {
		return findProducts(ctx, q, l)
	}
	key := sortKeys[l.Sort]
	rows, err := q.Query(ctx, `
		SELECT `+productColumns+`, `+key+`
		FROM products
		WHERE (`+key+`, sku COLLATE "C") > ($1, $2)
		ORDER BY `+key+`, sku COLLATE "C"
		LIMIT $3`, l.Key, l.SKU, l.Limit)
	if err != nil {
		return nil, fmt.Errorf("read products: %w", err)
	}
	return pgx.CollectRows(rows, scanListedProduct)
}

// hasWords is whether the words of a product's name and SKU begin with each word of $4. The left side is that of an index.
const hasWords = `
	array_to_tsvector(array_remove(regexp_split_to_array(lower((name || ' ' || sku) COLLATE "und-x-icu"), '[^[:alnum:]]+'), ''))
	@@ replace('''' || nullif(trim(regexp_replace(lower($4 COLLATE "und-x-icu"), '[^[:alnum:]]+', ' ', 'g')), '') || ''':*', ' ', ''':* & ''')::tsquery`

// nearBy is how many products of the list are looked at before the index of words is: a common word is found among them.
const nearBy = "500"

// findProducts is readProducts for a search. The index of words knows where a word is, but not in which order, so all that is
// found there has to be sorted: for a word that is everywhere that would be the whole catalogue.
func findProducts(ctx context.Context, q querier, l listing) ([]listedProduct, error) {
	key := sortKeys[l.Sort]
	near, err := searched(q.Query(ctx, `
		SELECT *
		FROM (
			SELECT `+productColumns+`, `+key+` AS key
			FROM products
			WHERE (`+key+`, sku COLLATE "C") > ($1, $2)
			ORDER BY `+key+`, sku COLLATE "C"
			LIMIT `+nearBy+`) AS near
		WHERE `+hasWords+`
		ORDER BY key, sku COLLATE "C"
		LIMIT $3`, l.Key, l.SKU, l.Limit, l.Words))
	if err != nil || len(near) == l.Limit {
		return near, err
	}
	return searched(q.Query(ctx, `
		WITH found AS MATERIALIZED (
			SELECT sku, `+key+` AS key
			FROM products
			WHERE `+hasWords+`),
		page AS (
			SELECT sku, key
			FROM found
			WHERE (key, sku COLLATE "C") > ($1, $2)
			ORDER BY key, sku COLLATE "C"
			LIMIT $3)
		SELECT `+productColumns+`, key
		FROM page
		JOIN products USING (sku)
		ORDER BY key, sku COLLATE "C"`, l.Key, l.SKU, l.Limit, l.Words))
}

func searched(rows pgx.Rows, err error) ([]listedProduct, error) {
	if err != nil {
		return nil, fmt.Errorf("find products: %w", err)
	}
	return pgx.CollectRows(rows, scanListedProduct)
}

// readProductsOf returns those of skus that there are, after one of them.
func readProductsOf(ctx context.Context, q querier, skus []string, after string) ([]listedProduct, error) {
	rows, err := q.Query(ctx, `
		SELECT `+productColumns+`, sku
		FROM products
		WHERE sku = ANY($1) AND sku COLLATE "C" > $2
		ORDER BY sku COLLATE "C"`, skus, after)
	if err != nil {
		return nil, fmt.Errorf("read products: %w", err)
	}
	return pgx.CollectRows(rows, scanListedProduct)
}

// summedMost is how many products are summed up: more take time each time that somebody looks at the metrics.
const summedMost = 10_000

// stockInAll is the numbers of products together, of summedMost at most: metrics with a series for each product would grow with the
// catalogue.
type stockInAll struct {
	Products, SoldOut, WaitedFor              int64
	Available, Reserved, Backordered, OnOrder int64
}

// sumStock sums up the first products by SKU.
func sumStock(ctx context.Context, q querier) (stockInAll, error) {
	rows, err := q.Query(ctx, `
		SELECT count(*), count(*) FILTER (WHERE available <= kept), count(*) FILTER (WHERE backordered > 0),
			coalesce(sum(available), 0)::bigint, coalesce(sum(reserved), 0)::bigint, coalesce(sum(backordered), 0)::bigint, coalesce(sum(on_order), 0)::bigint
		FROM (SELECT * FROM products ORDER BY sku LIMIT $1) AS first`, summedMost)
	if err != nil {
		return stockInAll{}, fmt.Errorf("sum stock: %w", err)
	}
	return pgx.CollectExactlyOneRow(rows, pgx.RowToStructByPos[stockInAll])
}
