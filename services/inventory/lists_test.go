package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

// fill adds n products with long descriptions in one statement, because one by one takes too long.
func (f *fixture) fill(n int) {
	f.Helper()
	_, err := f.db.Exec(f.Context(), `
		INSERT INTO products (sku, name, description, image, price_amount, price_currency, available, reorder_point, reorder_quantity, created_at, updated_at)
		SELECT 'P-' || lpad(n::text, 6, '0'),
			(ARRAY['Blue', 'red', 'Grüne', 'Small', 'ÖRTLICHE'])[1 + n % 5] || ' ' || (ARRAY['mug', 'lamp', 'clock', 'kettle'])[1 + n / 7 % 4] || ' ' || n,
			repeat('<about> ', 100), '', 100 + n * 7919 % 1000, (ARRAY['EUR', 'USD'])[1 + n % 2], 5, 0, 0, now() - n * interval '1 minute', now()
		FROM generate_series(1, $1::int) AS n`, n)
	if err != nil {
		f.Fatal(err)
	}
	if _, err := f.db.Exec(f.Context(), `INSERT INTO stock_movements (reference, sku, what, quantity, at) SELECT 'seed', sku, 'initial', available, now() FROM products`); err != nil {
		f.Fatal(err)
	}
	if _, err := f.db.Exec(f.Context(), `ANALYZE products`); err != nil {
		f.Fatal(err)
	}
}

// all reads a list to its end and counts the pages.
func (f *fixture) all(path string) (items []productBody, pages int) {
	f.Helper()
	for cursor := ""; ; {
		var page struct {
			Items []productBody
			Next  string `json:"next_cursor"`
		}
		a := f.call(http.MethodGet, path+"&cursor="+cursor, "", f.as("olga"))
		if a.status != http.StatusOK || len(a.body) > 400<<10 {
			f.Fatalf("%s: %d, %d bytes: %.200s", path, a.status, len(a.body), a.body)
		}
		a.into(f.T, &page)
		items, pages = append(items, page.Items...), pages+1
		if cursor = page.Next; cursor == "" {
			return items, pages
		}
	}
}

func TestALargeCatalogueIsReadPageByPage(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.fill(1000)
	price := func(p productBody) string { return fmt.Sprintf("%s%09d", p.Price.Currency, p.Price.Amount) }
	for sort, key := range map[string]func(productBody) string{
		"":      func(p productBody) string { return p.SKU },
		"sku":   func(p productBody) string { return p.SKU },
		"name":  func(p productBody) string { return strings.ToLower(p.Name[:4]) + p.Name[4:] },
		"price": func(p productBody) string { return price(p) + p.SKU },
		"-price": func(p productBody) string {
			return fmt.Sprintf("%s%09d%s", p.Price.Currency, 999_999_999-p.Price.Amount, p.SKU)
		},
		"newest": func(p productBody) string { return p.SKU },
	} {
		for _, path := range []string{"/api/products?sort=" + sort, "/api/products?limit=37&sort=" + sort, "/api/products?q=p&sort=" + sort} {
			items, pages := f.all(path)
			var keys []string
			for _, p := range items {
				keys = append(keys, key(p))
			}
			if sort == "name" { // for names that begin with ÖRT, this database's locale lowers only the first letter
				keys = slices.DeleteFunc(keys, func(k string) bool { return strings.HasPrefix(k, "Ö") || strings.HasPrefix(k, "ö") })
			}
			if len(items) != 1000 || pages < 10 || !slices.IsSorted(keys) || len(slices.Compact(keys)) != len(keys) {
				t.Errorf("%s: %d products on %d pages, sorted: %t", path, len(items), pages, slices.IsSorted(keys))
			}
		}
	}
	if items, pages := f.all("/api/stock?limit=100"); len(items) != 1000 || pages != 10 {
		t.Errorf("stock: %d on %d pages", len(items), pages)
	}
	if all, err := sumStock(t.Context(), f.db); err != nil || all != (stockInAll{Products: 1000, Available: 5000}) {
		t.Errorf("%+v, %v", all, err)
	}
}

func TestProductsAreFoundByTheWordsOfTheirNameAndSKU(t *testing.T) {
	t.Parallel()
	f := newFixture(t, seeds...)
	for q, want := range map[string]string{
		"mug":               "MUG-BLUE MUG-TRAVEL",
		"MUG":               "MUG-BLUE MUG-TRAVEL",
		"mu":                "MUG-BLUE MUG-TRAVEL",
		"blue mug":          "MUG-BLUE",
		"  mug--TRAVEL  ":   "MUG-TRAVEL",
		"MUG-B":             "MUG-BLUE",
		"0.9 l":             "KETTLE-SWAN",
		"80 × 30":           "MAT-FELT",
		"ug":                "",
		"mug kettle":        "",
		"O'Reilly":          "",
		`'mug':* | !\ & ''`: "MUG-BLUE MUG-TRAVEL",
		"%":                 "",
		"!!!":               "",
	} {
		items, _ := f.all("/api/products?q=" + url.QueryEscape(q))
		var skus []string
		for _, p := range items {
			skus = append(skus, p.SKU)
		}
		if got := strings.Join(skus, " "); got != want {
			t.Errorf("%q: %s, want %s", q, got, want)
		}
	}
	if a := f.call(http.MethodPut, "/api/products/CUP", strings.Replace(goodProduct, "Cup", "ÄRMEL Öl", 1), f.as("olga")); a.status != http.StatusCreated {
		t.Fatalf("%d %s", a.status, a.body)
	}
	if items, _ := f.all("/api/products?q=" + url.QueryEscape("ärm öL")); len(items) != 1 {
		t.Errorf("letters that are not ASCII's: %v", items)
	}
}

func TestProductsOfALotOfSKUs(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.fill(150)
	items, pages := f.all("/api/products?sku=P-000003&sku=P-000001&sku=NO-SUCH&sku=P-000003")
	if len(items) != 2 || items[0].SKU != "P-000001" || items[1].SKU != "P-000003" || pages != 1 {
		t.Errorf("%+v", items)
	}
	hundred := ""
	for n := range 100 {
		hundred += fmt.Sprintf("&sku=P-%06d", n+1)
	}
	if items, _ := f.all("/api/products?" + hundred[1:]); len(items) != 100 {
		t.Errorf("%d products", len(items))
	}
	if items, pages := f.all("/api/products?limit=30" + hundred); len(items) != 100 || pages != 4 {
		t.Errorf("%d products on %d pages", len(items), pages)
	}
	for _, query := range []string{
		hundred[1:] + "&sku=P-000101", "sku=A&q=mug", "sku=A&sort=name", "limit=0", "limit=101", "sort=colour", "sort=name&sort=price", "page=2", "cursor=nonsense",
		"q=" + strings.Repeat("m", 101), "q=%00", "q=mug%ff", "sort=price&cursor=" + cursorOf(f, "name"),
	} {
		if a := f.call(http.MethodGet, "/api/products?"+query, ""); a.status != http.StatusBadRequest {
			t.Errorf("%s: %d", query, a.status)
		}
	}
}

func cursorOf(f *fixture, sort string) string {
	var page struct {
		Next string `json:"next_cursor"`
	}
	f.call(http.MethodGet, "/api/products?limit=1&sort="+sort, "").into(f.T, &page)
	return page.Next
}

// TestEveryListIsReadByItsIndex asks PostgreSQL for its plans: without an index, a list of a large catalogue is slow.
func TestEveryListIsReadByItsIndex(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.fill(3000)
	for sort, index := range map[string]string{
		"sku": "products_by_sku", "name": "products_by_name", "price": "products_by_price", "-price": "products_by_price_falling", "newest": "products_by_age",
	} {
		for words, want := range map[string]string{"": index, "p": index, "lamp 17": "products_by_word"} {
			plan := &explained{f: f}
			if _, err := readProducts(t.Context(), plan, listing{Sort: sort, Words: words, Key: "0", Limit: 25}); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(plan.text, " "+want+" ") || strings.Contains(plan.text, "Seq Scan on products") {
				t.Errorf("%s, %q: want %s\n%s", sort, words, want, plan.text)
			}
		}
	}
}

// explained is a database that records the plan of a query before it runs it.
type explained struct {
	f    *fixture
	text string
}

func (e *explained) Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error) {
	conn, err := e.f.db.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	defer conn.Release()
	if _, err := conn.Exec(ctx, "PREPARE list AS "+sql, pgx.QueryExecModeSimpleProtocol); err != nil {
		return nil, err
	}
	defer conn.Exec(ctx, "DEALLOCATE list")           //nolint:errcheck // if it fails, so does the next PREPARE
	values := strings.Repeat(", NULL", len(args))[2:] // a generic plan does not depend on the values
	rows, err := conn.Query(ctx, "EXPLAIN EXECUTE list ("+values+")", pgx.QueryExecModeSimpleProtocol)
	if err != nil {
		return nil, err
	}
	lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
	e.text = strings.Join(lines, "\n")
	if err != nil {
		return nil, err
	}
	return e.f.db.Query(ctx, sql, args...)
}
