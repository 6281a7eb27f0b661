package shop_test

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

	"example.com/orderflow/bff-web/app/apptest"
	"example.com/orderflow/bff-web/shop"
	"example.com/orderflow/pkg/messages"
)

const picturesMost = 5 // of an order in a list

// warehouse answers as inventory does, with n products, as far as bff-web uses it: a page begins at the number in the cursor.
// It refuses what the real one refuses.
type warehouse struct {
	f    *apptest.Fixture
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
		apptest.Says(400, `{"detail":"cursor is not one that was given out here"}`)(out, r)
		return
	}
	limit, _ := strconv.Atoi(q.Get("limit"))
	from, _ := strconv.Atoi(q.Get("cursor"))
	var page shop.Catalogue
	skus := q["sku"]
	if len(skus) > shop.SkusMost {
		w.f.Errorf("inventory is asked for %d products at once", len(skus))
	}
	if skus != nil {
		limit = 40 // shorter pages, as with large products
	}
	for i := from; i < w.n && len(page.Items) < limit; i++ {
		p := shop.Product{SKU: fmt.Sprintf("P-%05d", i), Name: fmt.Sprintf("Product %05d", i), Price: messages.Money{Amount: 100, Currency: "EUR"}, Available: 9, Description: strings.Repeat("x", 2000)}
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
	apptest.Says(200, string(text))(out, r)
}

func (w *warehouse) last() url.Values {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.asks[len(w.asks)-1]
}

func withWarehouse(f *apptest.Fixture, n int) *warehouse {
	w := &warehouse{f: f, n: n}
	f.Answer("inventory", w.ServeHTTP)
	return w
}

func TestTheShopHasPagesSearchAndSort(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	w := withWarehouse(f, 60)
	b := f.Stranger()
	page := b.Loads(200, "/?utm_source=x&utm_source=y", "Product 00000", "Product 00023", `href="/?cursor=24"`)
	if strings.Contains(page, "Product 00024") || strings.Contains(page, "First page") || len(page) > 300<<10 {
		t.Errorf("a page of %d bytes: %s", len(page), page)
	}
	b.Loads(200, "/?cursor=24", "Product 00047", `href="/?cursor=48"`, `href="/">First page`)
	if page := b.Loads(200, "/?cursor=48&sort=-price&q=blue+%26+mug", "Product 00059", `value="blue &amp; mug"`, `value="-price" selected`, `&amp;sort=-price">First page`); strings.Contains(page, "More products") {
		t.Error("there is nothing after the last page")
	}
	if q := w.last(); q.Get("sort") != "-price" || q.Get("q") != "blue & mug" || q.Get("cursor") != "48" || q.Get("limit") != "24" {
		t.Errorf("inventory was asked for %v", q)
	}
	b.Loads(200, "/?sort=colour&q="+strings.Repeat("m", 500), "Product 00000")
	if q := w.last(); q.Get("sort") != "name" || len(q.Get("q")) != 100 {
		t.Errorf("inventory was asked for %v", q)
	}
	b.Loads(400, "/?cursor=nonsense", "That did not work")
}

func TestPagesAskForTheProductsThatTheyShow(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	w := withWarehouse(f, 10_000)
	var lines []string
	for i := range 100 {
		lines = append(lines, fmt.Sprintf(`{"sku":"P-%05d","name":"a product","quantity":1,"unit_price":{"amount":1,"currency":"EUR"}}`, i*50))
	}
	order := `{"id":"1","status":"paid","lines":[` + strings.Join(lines, ",") + `]}`
	f.Answer("orders", func(out http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/api/orders" {
			apptest.Says(200, `{"items":[`+order+`,`+order+`]}`)(out, r)
			return
		}
		apptest.Says(200, order)(out, r)
	})
	b := f.As("alice")
	b.Loads(200, "/orders/1", "a product")
	if skus := w.last()["sku"]; len(skus) != 100 || skus[99] != "P-04950" {
		t.Errorf("for an order of 100 lines inventory was asked for %v", skus)
	}
	b.Loads(200, "/orders", "a product")
	if skus := w.last()["sku"]; len(skus) != picturesMost {
		t.Errorf("for a list of orders inventory was asked for %v", skus)
	}
	asked := len(w.asks)
	b.Loads(200, "/cart", "nothing in it")
	if len(w.asks) != asked {
		t.Errorf("for an empty cart inventory was asked for %v", w.last())
	}
	b.Cookies[apptest.CartCookie] = "P-09999:2/P-00001:1/NO-SUCH:1"
	b.Loads(200, "/cart", "Product 09999", "Product 00001", "No longer for sale", "€3.00")
	b.Cookies[apptest.CartCookie] = "P-09999:2/P-00001:1"
	f.Services["inventory"].Close()
	b.Loads(200, "/cart", "Product 09999", "Product 00001", "€3.00")
	b.Cookies[apptest.CartCookie] = "P-09999:2/P-07777:1"
	if page := b.Loads(200, "/cart", "Product 09999", "P-07777", "cannot be shown"); strings.Contains(page, "No longer for sale") || strings.Contains(page, `class="total"`) {
		t.Error("the cart knows more than anybody has told: " + page)
	}
	b.Cookies[apptest.CartCookie] = "P-07777:2"
	b.Loads(200, "/cart", "P-07777", "cannot be shown")
}
