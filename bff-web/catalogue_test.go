package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/orderflow/pkg/messages"
)

// age lets time pass for everything that the shelf knows.
func (k *shelf) age(by time.Duration) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for sort, page := range k.first {
		page.AsOf = page.AsOf.Add(-by)
		k.first[sort] = page
	}
	k.products.InvalidateAll()
}

// warehouse answers as inventory does, with n products, as far as bff-web uses it: a page begins at the number in the cursor.
// It refuses what the real one refuses.
type warehouse struct {
	f    *fixture
	n    int
	mu   sync.Mutex
	asks []url.Values
}

func (w *warehouse) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	w.mu.Lock()
	w.asks = append(w.asks, q)
	w.mu.Unlock()
	for name := range q {
		if !slices.Contains([]string{"limit", "cursor", "sort", "q", "sku"}, name) {
			w.f.Errorf("inventory is asked for %s", name)
		}
	}
	if q.Has("cursor") && q.Get("cursor") == "nonsense" {
		says(400, `{"detail":"cursor is not one that was given out here"}`)(out, r)
		return
	}
	limit, _ := strconv.Atoi(q.Get("limit"))
	from, _ := strconv.Atoi(q.Get("cursor"))
	var page catalogue
	skus := q["sku"]
	if len(skus) > skusMost {
		w.f.Errorf("inventory is asked for %d products at once", len(skus))
	}
	if skus != nil {
		limit = 40 // shorter pages, as with large products
	}
	for i := from; i < w.n && len(page.Items) < limit; i++ {
		p := product{SKU: fmt.Sprintf("P-%05d", i), Name: fmt.Sprintf("Product %05d", i), Price: messages.Money{Amount: 100, Currency: "EUR"}, Available: 9, Description: strings.Repeat("x", 2000)}
		if skus == nil || slices.Contains(skus, p.SKU) {
			page.Items = append(page.Items, p)
		}
		if i+1 < w.n {
			page.Next = strconv.Itoa(i + 1)
		} else {
			page.Next = ""
		}
	}
	text, _ := json.Marshal(page)
	says(200, string(text))(out, r)
}

func (w *warehouse) last() url.Values {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.asks[len(w.asks)-1]
}

func withWarehouse(f *fixture, n int) *warehouse {
	w := &warehouse{f: f, n: n}
	f.answer("inventory", w.ServeHTTP)
	return w
}

func TestTheShopHasPagesSearchAndSort(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	w := withWarehouse(f, 60)
	b := f.stranger()
	page := b.loads(200, "/?utm_source=x&utm_source=y", "Product 00000", "Product 00023", `href="/?cursor=24"`)
	if strings.Contains(page, "Product 00024") || strings.Contains(page, "First page") || len(page) > 300<<10 {
		t.Errorf("a page of %d bytes: %s", len(page), page)
	}
	b.loads(200, "/?cursor=24", "Product 00047", `href="/?cursor=48"`, `href="/">First page`)
	if page := b.loads(200, "/?cursor=48&sort=-price&q=blue+%26+mug", "Product 00059", `value="blue &amp; mug"`, `value="-price" selected`, `&amp;sort=-price">First page`); strings.Contains(page, "More products") {
		t.Error("there is nothing after the last page")
	}
	if q := w.last(); q.Get("sort") != "-price" || q.Get("q") != "blue & mug" || q.Get("cursor") != "48" || q.Get("limit") != "24" {
		t.Errorf("inventory was asked for %v", q)
	}
	b.loads(200, "/?sort=colour&q="+strings.Repeat("m", 500), "Product 00000")
	if q := w.last(); q.Get("sort") != "name" || len(q.Get("q")) != 100 {
		t.Errorf("inventory was asked for %v", q)
	}
	b.loads(400, "/?cursor=nonsense", "That did not work")
}

func TestPagesAskForTheProductsThatTheyShow(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	w := withWarehouse(f, 10_000)
	var lines []string
	for i := range 100 {
		lines = append(lines, fmt.Sprintf(`{"sku":"P-%05d","name":"a product","quantity":1,"unit_price":{"amount":1,"currency":"EUR"}}`, i*50))
	}
	order := `{"id":"1","status":"paid","lines":[` + strings.Join(lines, ",") + `]}`
	f.answer("orders", func(out http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/api/orders" {
			says(200, `{"items":[`+order+`,`+order+`]}`)(out, r)
			return
		}
		says(200, order)(out, r)
	})
	b := f.as("alice")
	b.loads(200, "/orders/1", "a product")
	if skus := w.last()["sku"]; len(skus) != 100 || skus[99] != "P-04950" {
		t.Errorf("for an order of 100 lines inventory was asked for %v", skus)
	}
	b.loads(200, "/orders", "a product")
	if skus := w.last()["sku"]; len(skus) != picturesMost {
		t.Errorf("for a list of orders inventory was asked for %v", skus)
	}
	asked := len(w.asks)
	b.loads(200, "/cart", "nothing in it")
	if len(w.asks) != asked {
		t.Errorf("for an empty cart inventory was asked for %v", w.last())
	}
	b.cookies[cartCookie] = "P-09999:2/P-00001:1/NO-SUCH:1"
	b.loads(200, "/cart", "Product 09999", "Product 00001", "No longer for sale", "€3.00")
	b.cookies[cartCookie] = "P-09999:2/P-00001:1"
	f.services["inventory"].Close()
	b.loads(200, "/cart", "Product 09999", "Product 00001", "€3.00")
	b.cookies[cartCookie] = "P-09999:2/P-07777:1"
	if page := b.loads(200, "/cart", "Product 09999", "P-07777", "cannot be shown"); strings.Contains(page, "No longer for sale") || strings.Contains(page, `class="total"`) {
		t.Error("the cart knows more than anybody has told: " + page)
	}
	b.cookies[cartCookie] = "P-07777:2"
	b.loads(200, "/cart", "P-07777", "cannot be shown")
}

func TestTheKeptPartOfTheCatalogueIsBounded(t *testing.T) {
	t.Parallel()
	k := newShelf()
	for n := range 100 {
		page := catalogue{AsOf: time.Now()}
		for i := range 100 {
			page.Items = append(page.Items, product{SKU: fmt.Sprint(n*100 + i), Description: strings.Repeat("x", 8000)})
		}
		k.keep(page)
	}
	k.products.CleanUp()
	if n := k.products.EstimatedSize(); n == 0 || n > productsBytes/8000 {
		t.Errorf("%d products are kept", n)
	}
}

func TestStockHasPagesAndSearch(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.answer("inventory", says(200, `{"items":[{"sku":"PEN","name":"Pen"}],"next_cursor":"abc"}`))
	b := f.as("olga")
	b.loads(200, "/operations/stock?q=pen&cursor=x", `href="/operations/stock?q=pen">First page`, `href="/operations/stock?cursor=abc&amp;q=pen"`, `name="back" value="/operations/stock?cursor=x&amp;q=pen"`, `data-label="On hand"`)
	if seen := f.asked("inventory"); seen.URL.RawQuery != "cursor=x&limit=50&q=pen" {
		t.Errorf("inventory was asked for %s", seen.URL)
	}
	b.posts("/operations/stock", "/operations/stock?cursor=x&q=pen#PEN", "sku", "PEN", "add", "1", "key", "k", "back", "/operations/stock?cursor=x&q=pen")
	b.posts("/operations/stock", "/operations/stock#PEN", "sku", "PEN", "add", "1", "key", "k", "back", "https://elsewhere.example/")
}
