package main

import (
	"net/http"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
)

func TestARetiredProductIsNoLongerListedAndCanBeBroughtBack(t *testing.T) {
	t.Parallel()
	f := newFixture(t, goods("MUG", 5), goods("PEN", 5))
	olga := f.as("olga")
	const path = "/api/products/CUP"
	put := func(what string, status int, body string, options ...option) {
		t.Helper()
		if a := f.call(http.MethodPut, path, body, append(options, olga)...); a.status != status {
			t.Fatalf("%s: %d %s, want %d", what, a.status, a.body, status)
		}
	}
	with := func(retired string) string { return strings.Replace(goodProduct, "{", `{"retired":`+retired+",", 1) }
	seen := func() (productBody, string) {
		t.Helper()
		a := f.call(http.MethodGet, path, "", olga)
		var p productBody
		a.into(t, &p)
		return p, a.header.Get("ETag")
	}
	listed := func(path string, want int) {
		t.Helper()
		var page struct {
			Items []struct {
				SKU     string `json:"sku"`
				Retired bool   `json:"retired"`
			} `json:"items"`
		}
		f.call(http.MethodGet, path, "", olga).into(t, &page)
		n := 0
		for _, p := range page.Items {
			if p.SKU == "CUP" {
				n++
			}
			if retired, _ := seen(); p.Retired != (p.SKU == "CUP" && retired.Retired) {
				t.Errorf("%s: %+v", path, p)
			}
		}
		if n != want {
			t.Errorf("%s: %d times, want %d", path, n, want)
		}
	}
	put("add it", 201, goodProduct)
	_, sold := seen()

	put("retire it", 200, with("true"), header("If-Match", sold))
	for _, sort := range []string{"sku", "name", "price", "-price", "newest"} {
		listed("/api/products?sort="+sort, 0)
		listed("/api/stock?sort="+sort, 1)
	}
	listed("/api/products?q=cup", 0)
	listed("/api/stock?q=cup", 1)
	listed("/api/products?sku=CUP", 1)
	listed("/api/products?limit=2", 0)
	if p, now := seen(); !p.Retired || now == sold {
		t.Errorf("%+v with the tag %s", p, now)
	}
	put("change what was sold when it was seen", 412, goodProduct, header("If-Match", sold))
	put("change its name", 200, strings.Replace(goodProduct, "Cup", "Beaker", 1)) // says nothing about that
	if p, _ := seen(); !p.Retired || p.Name != "Beaker" {
		t.Errorf("%+v", p)
	}
	put("neither yes nor no", 422, with(`"yes"`))

	put("bring it back", 200, with("false"), header("If-Match", "*"))
	listed("/api/products", 1)
	listed("/api/products?q=cup", 1)
	if _, now := seen(); now != sold {
		t.Errorf("the tag is %s, was %s", now, sold)
	}
	if got := f.announced("CUP"); got != "1 2retired 3retired 4" {
		t.Errorf("announced: %s", got)
	}
}

// announced returns the versions of a product that were announced.
func (f *fixture) announced(sku string) string {
	f.Helper()
	rows, err := f.db.Query(f.Context(), `
		SELECT (body->>'version') || CASE WHEN (body->>'retired')::boolean THEN 'retired' ELSE '' END
		FROM outbox
		WHERE kind = 'inventory.product_changed' AND body->>'sku' = $1
		ORDER BY id`, sku)
	if err != nil {
		f.Fatal(err)
	}
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		f.Fatal(err)
	}
	return strings.Join(all, " ")
}

// An order is accepted by orders. From then on it does not matter what is retired.
func TestAnOrderThatWasAcceptedGetsARetiredProduct(t *testing.T) {
	t.Parallel()
	f := newFixture(t, goods("MUG", 5))
	retired := `{"retired":true,"name":"Mug","description":"A mug.","price":{"amount":500,"currency":"EUR"},"reorder_point":0,"reorder_quantity":10}`
	if a := f.call(http.MethodPut, "/api/products/MUG", retired, f.as("olga")); a.status != 200 {
		t.Fatalf("%d %s", a.status, a.body)
	}
	f.receive(reserve(newOrder(), "MUG", 2))
	f.want("MUG", 3, 2, 0, 0)
	f.audit()
}
