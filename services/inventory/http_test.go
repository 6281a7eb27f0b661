package main

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"example.com/orderflow/pkg/messages"
	"example.com/orderflow/pkg/web"
)

func TestTheCatalogueIsPublicAndCanBeKept(t *testing.T) {
	t.Parallel()
	f := newFixture(t, seeds...)
	a := f.call(http.MethodGet, "/api/products", "")
	var list struct{ Items []productBody }
	a.into(t, &list)
	if a.status != http.StatusOK || len(list.Items) != len(seeds) || a.header.Get("Cache-Control") != "public, max-age=1" {
		t.Fatalf("%d, %d products, %s", a.status, len(list.Items), a.header.Get("Cache-Control"))
	}
	if !slices.IsSortedFunc(list.Items, func(a, b productBody) int { return strings.Compare(a.SKU, b.SKU) }) {
		t.Error("not sorted")
	}
	mug := list.Items[slices.IndexFunc(list.Items, func(p productBody) bool { return p.SKU == "MUG-BLUE" })]
	if mug.Price != (messages.Money{Amount: 1299, Currency: "EUR"}) || mug.Available != 120 || mug.Image != "/api/products/MUG-BLUE/image" || mug.Description == "" {
		t.Errorf("%+v", mug)
	}
	one := f.call(http.MethodGet, "/api/products/MUG-BLUE", "")
	var p productBody
	if one.into(t, &p); p != mug {
		t.Errorf("%+v, in the list %+v", p, mug)
	}
	for _, path := range []string{"/api/products", "/api/products/MUG-BLUE"} {
		tag := f.call(http.MethodGet, path, "").header.Get("ETag")
		if a := f.call(http.MethodGet, path, "", header("If-None-Match", tag)); a.status != http.StatusNotModified {
			t.Errorf("%s: %d for a copy that is still good", path, a.status)
		}
	}
	f.receive(reserve(newOrder(), "MUG-BLUE", 20))
	if a := f.call(http.MethodGet, "/api/products", "", header("If-None-Match", a.header.Get("ETag"))); a.status != http.StatusOK {
		t.Errorf("%d for a copy that is stale", a.status)
	}
	f.call(http.MethodGet, "/api/products/MUG-BLUE", "").into(t, &p)
	if p.Available != 100 {
		t.Errorf("%d available", p.Available)
	}
}

// The public could tell from the reorder policy how well a product sells. Its tag must not depend on it, either.
func TestOnlyOperatorsAreToldWhenAProductIsReordered(t *testing.T) {
	t.Parallel()
	f := newFixture(t, lamp(5))
	const path = "/api/products/LAMP"
	public := f.call(http.MethodGet, path, "")
	for what, a := range map[string]answer{
		"anybody": public, "a customer": f.call(http.MethodGet, path, "", f.as("alice")), "the list": f.call(http.MethodGet, "/api/products", "", f.as("olga")),
		"the list by SKU": f.call(http.MethodGet, "/api/products?sku=LAMP", "", f.as("olga")),
	} {
		if a.status != http.StatusOK || strings.Contains(string(a.body), "reorder") || !strings.HasPrefix(a.header.Get("Cache-Control"), "public") {
			t.Errorf("%s: %d %s, %s", what, a.status, a.body, a.header.Get("Cache-Control"))
		}
	}
	a := f.call(http.MethodGet, path, "", f.as("olga"), header("If-None-Match", public.header.Get("ETag")))
	var p editableBody
	if a.into(t, &p); p.reorderBody != (reorderBody{3, 10}) || p.SKU != "LAMP" || a.header.Get("Cache-Control") != "private, no-cache" {
		t.Errorf("%d %s, %s", a.status, a.body, a.header.Get("Cache-Control"))
	}
	for _, a := range []answer{a, public} {
		if a.header.Get("Vary") != "Authorization" {
			t.Errorf("it varies by %q", a.header.Get("Vary"))
		}
	}
	more := `{"name":"Lamp","description":"for a test","price":{"amount":100,"currency":"EUR"},"reorder_point":4,"reorder_quantity":10}`
	if a := f.call(http.MethodPut, path, more, f.as("olga"), header("If-Match", public.header.Get("ETag"))); a.status != http.StatusPreconditionFailed {
		t.Errorf("an edit of what the public sees: %d %s", a.status, a.body)
	}
	var before, after productBody
	public.into(t, &before)
	if a := f.call(http.MethodPut, path, more, f.as("olga"), header("If-Match", a.header.Get("ETag"))); a.status != http.StatusOK {
		t.Errorf("an edit of what the operator has seen: %d %s", a.status, a.body)
	}
	changed := f.call(http.MethodGet, path, "")
	if changed.into(t, &after); before == after && changed.header.Get("ETag") != public.header.Get("ETag") {
		t.Errorf("the public tag tells of another reorder point: %s", changed.header.Get("ETag"))
	}
	for _, bad := range []string{"Bearer x", "Basic b2xnYTpkZW1v"} {
		if a := f.call(http.MethodGet, path, "", header("Authorization", bad)); a.status != http.StatusUnauthorized {
			t.Errorf("%s: %d %s", bad, a.status, a.body)
		}
	}
}

func TestUnitsThatAreKeptForWaitingOrdersCannotBeOrdered(t *testing.T) {
	t.Parallel()
	f := newFixture(t, goods("A", 5), goods("B", 0))
	f.coming("B", 1)
	f.receive(backorder(newOrder(), "A", 4, "B", 1))
	for sku, want := range map[string]int{"A": 1, "B": 0} {
		var p productBody
		if f.call(http.MethodGet, "/api/products/"+sku, "").into(t, &p); p.Available != want {
			t.Errorf("%d of %s, want %d", p.Available, sku, want)
		}
	}
}

func TestPicturesAreSafeDocuments(t *testing.T) {
	t.Parallel()
	f := newFixture(t, append(slices.Clone(seeds), goods("NEW", 1))...)
	for _, p := range append(slices.Clone(seeds), goods("NEW", 1)) {
		a := f.call(http.MethodGet, p.Image, "")
		h := a.header
		if a.status != http.StatusOK || h.Get("Content-Type") != "image/svg+xml" || h.Get("X-Content-Type-Options") != "nosniff" ||
			h.Get("Content-Security-Policy") != "default-src 'none'; style-src 'unsafe-inline'" || h.Get("Cache-Control") != "public, max-age=3600" {
			t.Errorf("%s: %d %v", p.SKU, a.status, h)
		}
		var svg struct {
			XMLName xml.Name `xml:"http://www.w3.org/2000/svg svg"`
			ViewBox string   `xml:"viewBox,attr"`
			Role    string   `xml:"role,attr"`
			Title   string   `xml:"title"`
		}
		if err := xml.Unmarshal(a.body, &svg); err != nil || svg.ViewBox != "0 0 320 240" || svg.Role != "img" || svg.Title == "" {
			t.Errorf("%s: %+v, %v", p.SKU, svg, err)
		}
		if a := f.call(http.MethodGet, p.Image, "", header("If-None-Match", h.Get("ETag"))); a.status != http.StatusNotModified {
			t.Errorf("%s: %d for a copy that is still good", p.SKU, a.status)
		}
	}
	for _, sku := range []string{"NO-SUCH", "any", "..%2fany", "%00"} {
		if a := f.call(http.MethodGet, "/api/products/"+sku+"/image", ""); a.status != http.StatusNotFound {
			t.Errorf("%s: %d %s", sku, a.status, a.body)
		}
	}
}

const goodProduct = `{"name":"Cup","description":"A cup.","price":{"amount":500,"currency":"EUR"},"reorder_point":2,"reorder_quantity":10}`

func TestAnOperatorAddsAndChangesAProduct(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	a := f.call(http.MethodPut, "/api/products/CUP", goodProduct, f.as("olga"))
	var p editableBody
	a.into(t, &p)
	want := editableBody{productBody{"CUP", "Cup", "A cup.", "/api/products/CUP/image", messages.Money{Amount: 500, Currency: "EUR"}, 0, true, false}, reorderBody{2, 10}}
	if a.status != http.StatusCreated || a.header.Get("Location") != "/api/products/CUP" || p != want {
		t.Errorf("%d %s %+v", a.status, a.header.Get("Location"), p)
	}
	f.want("CUP", 0, 0, 0, 10) // it has no units, so it is reordered at once
	dearer := strings.Replace(goodProduct, "500", "600", 1)
	for _, body := range []string{dearer, dearer, strings.Replace(dearer, `"reorder_point":2`, `"reorder_point":15`, 1)} {
		if a := f.call(http.MethodPut, "/api/products/CUP", body, f.as("olga")); a.status != http.StatusOK {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
	f.want("CUP", 0, 0, 0, 20) // a higher reorder point takes effect at once
	rows, err := f.db.Query(t.Context(), `SELECT body FROM outbox WHERE kind = 'inventory.product_changed' ORDER BY id`)
	if err != nil {
		t.Fatal(err)
	}
	var heard []string
	for rows.Next() {
		var m messages.ProductChanged
		if err := rows.Scan(&m); err != nil {
			t.Fatal(err)
		}
		heard = append(heard, fmt.Sprintf("%d: %d", m.Version, m.Price.Amount))
	}
	if want := []string{"1: 500", "2: 600", "2: 600", "2: 600"}; !slices.Equal(heard, want) {
		t.Errorf("heard of %v, want %v: the version rises with what can be seen", heard, want)
	}
}

func TestAddingAProductAtOnceAddsOne(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	var mu sync.Mutex
	statuses := map[int]int{}
	var all sync.WaitGroup
	for range 10 {
		all.Go(func() {
			a := f.call(http.MethodPut, "/api/products/CUP", goodProduct, f.as("olga"))
			mu.Lock()
			defer mu.Unlock()
			statuses[a.status]++
		})
	}
	all.Wait()
	if statuses[http.StatusCreated] != 1 || statuses[http.StatusOK] != 9 {
		t.Errorf("%v", statuses)
	}
	f.want("CUP", 0, 0, 0, 10)
}

func TestAnOperatorAddsStock(t *testing.T) {
	t.Parallel()
	f := newFixture(t, goods("A", 1))
	f.coming("A", 3)
	o := newOrder()
	f.receive(backorder(o, "A", 4))
	add := func(n int, options ...option) answer {
		return f.call(http.MethodPost, "/api/products/A/stock", fmt.Sprintf(`{"add":%d}`, n), options...)
	}
	a := add(5, f.as("olga"))
	var s stockBody
	if a.into(t, &s); a.status != http.StatusOK || s != (stockBody{SKU: "A", Name: "A", Available: 2, Reserved: 4, OnOrder: 3}) {
		t.Errorf("%d %s", a.status, a.body)
	}
	if f.status(o) != reserved || f.sent("A") != "stock_replenished" {
		t.Errorf("%s, sent %s: who waits is served", f.status(o), f.sent("A"))
	}
	var all sync.WaitGroup
	var first atomic.Int32
	for range 10 {
		all.Go(func() {
			a := add(3, f.as("olga"), header("Idempotency-Key", `"delivery-7"`))
			if a.status != http.StatusOK {
				t.Errorf("%d %s", a.status, a.body)
			}
			if a.header.Get("Idempotency-Replayed") == "" {
				first.Add(1)
			}
		})
	}
	all.Wait()
	if first.Load() != 1 || a.header.Get("Idempotency-Replayed") != "" {
		t.Errorf("%d of ten requests with one key added units, and one without a key was replayed: %q", first.Load(), a.header.Get("Idempotency-Replayed"))
	}
	f.want("A", 5, 4, 0, 3)
	if a := add(4, f.as("olga"), header("Idempotency-Key", "delivery-7")); a.status != http.StatusUnprocessableEntity {
		t.Errorf("%d for the same key and another number", a.status)
	}
	if a := add(3, f.as("otto"), header("Idempotency-Key", "delivery-7")); a.status != http.StatusOK {
		t.Errorf("%d for another operator's key", a.status)
	}
	if add(1, f.as("olga")); add(1, f.as("olga")).status != http.StatusOK {
		t.Error("without a key each request counts")
	}
	f.want("A", 10, 4, 0, 3)
}

func TestTheOperatorSeesWhereTheUnitsAre(t *testing.T) {
	t.Parallel()
	f := newFixture(t, lamp(5), goods("B", 2))
	f.coming("B", 1)
	f.receive(reserve(newOrder(), "LAMP", 4), backorder(newOrder(), "B", 3))
	a := f.call(http.MethodGet, "/api/stock", "", f.as("olga"))
	var list struct{ Items []stockBody }
	a.into(t, &list)
	want := []stockBody{{"B", "B", 0, 2, 0, 3, 1, reorderBody{0, 0}, false}, {"LAMP", "Lamp", 1, 0, 4, 0, 10, reorderBody{3, 10}, false}}
	if a.status != http.StatusOK || !slices.Equal(list.Items, want) || a.header.Get("Cache-Control") != "no-store" {
		t.Errorf("%d %s", a.status, a.body)
	}
}

func TestBadRequestsAreRefusedAndChangeNothing(t *testing.T) {
	t.Parallel()
	f := newFixture(t, goods("A", 5))
	edit := func(old, new string) string { return strings.Replace(goodProduct, old, new, 1) }
	const product, stock = "/api/products/CUP", "/api/products/A/stock"
	put, post := http.MethodPut, http.MethodPost
	olga := f.as("olga")
	for _, c := range []struct {
		name, method, path, body string
		status                   int
		field                    string // of the first entry in errors
		options                  []option
	}{
		{"no token", put, product, goodProduct, 401, "", nil},
		{"a shopper", put, product, goodProduct, 403, "", []option{f.as("alice")}},
		{"no token", post, stock, `{"add":1}`, 401, "", nil},
		{"a shopper", post, stock, `{"add":1}`, 403, "", []option{f.as("alice")}},
		{"no token", http.MethodGet, "/api/stock", "", 401, "", nil},
		{"a shopper", http.MethodGet, "/api/stock", "", 403, "", []option{f.as("alice")}},
		{"malformed JSON", put, product, `{"name":`, 400, "", []option{olga}},
		{"no JSON", put, product, goodProduct, 415, "", []option{olga, header("Content-Type", "text/plain")}},
		{"2 MB", put, product, edit("A cup.", strings.Repeat("a", 2<<20)), 413, "", []option{olga}},
		{"a SKU in small letters", put, "/api/products/cup", goodProduct, 422, "sku", []option{olga}},
		{"an endless SKU", put, "/api/products/" + strings.Repeat("A", 65), goodProduct, 422, "sku", []option{olga}},
		{"no name", put, product, edit("Cup", "  "), 422, "name", []option{olga}},
		{"an endless name", put, product, edit("Cup", strings.Repeat("ü", 121)), 422, "name", []option{olga}},
		{"a control character", put, product, edit("Cup", `C\u0000p`), 422, "name", []option{olga}},
		{"no description", put, product, edit("A cup.", ""), 422, "description", []option{olga}},
		{"for nothing", put, product, edit("500", "0"), 422, "price.amount", []option{olga}},
		{"a negative price", put, product, edit("500", "-1"), 422, "price.amount", []option{olga}},
		{"a fraction", put, product, edit("500", "4.99"), 422, "price.amount", []option{olga}},
		{"an endless price", put, product, edit("500", "100000001"), 422, "price.amount", []option{olga}},
		{"a name that nobody sees", put, product, edit(`"name":"Cup"`, `"name":"\u00a0\u200b"`), 422, "name", []option{olga}},
		{"a name that turns round", put, product, edit(`"name":"Cup"`, `"name":"Cup\u202e"`), 422, "name", []option{olga}},
		{"two prices", put, product, edit(`"amount":500`, `"amount":500,"Amount":1`), 422, "price.Amount", []option{olga}},
		{"a currency that is none", put, product, edit("EUR", "ZZZ"), 422, "price.currency", []option{olga}},
		{"a currency that is no more", put, product, edit("EUR", "DEM"), 422, "price.currency", []option{olga}},
		{"no currency at all", put, product, edit("EUR", "XXX"), 422, "price.currency", []option{olga}},
		{"a currency for tests", put, product, edit("EUR", "XTS"), 422, "price.currency", []option{olga}},
		{"a currency in small letters", put, product, edit("EUR", "eur"), 422, "price.currency", []option{olga}},
		{"no currency", put, product, edit("EUR", "euro"), 422, "price.currency", []option{olga}},
		{"a negative reorder point", put, product, edit(`"reorder_point":2`, `"reorder_point":-1`), 422, "reorder_point", []option{olga}},
		{"no reorder quantity", put, product, edit(`,"reorder_quantity":10`, ""), 422, "reorder_quantity", []option{olga}},
		{"an image of its own", put, product, edit(`"name"`, `"image":"x","name"`), 422, "image", []option{olga}},
		{"stock by the back door", put, product, edit(`"name"`, `"available":9,"name"`), 422, "available", []option{olga}},
		{"null", put, product, `null`, 422, "name", []option{olga}},
		{"add nothing", post, stock, `{"add":0}`, 422, "add", []option{olga}},
		{"take away", post, stock, `{"add":-1}`, 422, "add", []option{olga}},
		{"add too much", post, stock, `{"add":1000001}`, 422, "add", []option{olga}},
		{"add half", post, stock, `{"add":0.5}`, 422, "add", []option{olga}},
		{"an empty key", post, stock, `{"add":1}`, 400, "", []option{olga, header("Idempotency-Key", "")}},
		{"an endless key", post, stock, `{"add":1}`, 400, "", []option{olga, header("Idempotency-Key", strings.Repeat("k", 256))}},
		{"a key with a space", post, stock, `{"add":1}`, 400, "", []option{olga, header("Idempotency-Key", "a b")}},
		{"add to what does not exist", post, "/api/products/NO-SUCH/stock", `{"add":1}`, 404, "", []option{olga}},
		{"add to what cannot exist", post, "/api/products/%00/stock", `{"add":1}`, 404, "", []option{olga}},
		{"an unknown product", http.MethodGet, "/api/products/NO-SUCH", "", 404, "", nil},
		{"a path that is no SKU", http.MethodGet, "/api/products/%00", "", 404, "", nil},
		{"another method", http.MethodDelete, "/api/products/A", "", 405, "", nil},
		{"another path", http.MethodGet, "/api/elsewhere", "", 404, "", nil},
	} {
		a := f.call(c.method, c.path, c.body, c.options...)
		var p web.Problem
		if err := json.Unmarshal(a.body, &p); err != nil || a.status != c.status || a.header.Get("Content-Type") != web.ProblemType {
			t.Errorf("%s %s, %s: %d %s, want %d", c.method, c.path, c.name, a.status, a.body, c.status)
		}
		if c.field != "" && (len(p.Errors) == 0 || p.Errors[0].Field != c.field) {
			t.Errorf("%s: errors %v, want one about %s", c.name, p.Errors, c.field)
		}
	}
	f.want("A", 5, 0, 0, 0)
	if _, err := readProduct(t.Context(), f.db, "CUP"); err != errNoProduct { //nolint:errorlint // the very same
		t.Errorf("a bad product was kept: %v", err)
	}
}
