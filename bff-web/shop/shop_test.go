package shop_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"example.com/orderflow/bff-web/app/apptest"
	"example.com/orderflow/bff-web/shop"
)

func TestTheFrontPageShowsTheProducts(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	f.Answer("inventory", apptest.Says(200, apptest.Shelves))
	answer, page := f.Get("/", "X-Request-Id", "r-1")
	if answer.StatusCode != http.StatusOK || answer.Header.Get("Content-Type") != "text/html; charset=UTF-8" {
		t.Fatalf("%s, %s", answer.Status, answer.Header.Get("Content-Type"))
	}
	for _, want := range []string{
		"<h2>Blue mug</h2>", "Holds &lt;b&gt;0.3 l&lt;/b&gt; &amp; more", `src="/api/products/MUG-BLUE/image"`, "€1,299.50", "In stock",
		"€0.05", "Only 2 left", "¥500", "Sold out for now", ">Sold out<",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	if strings.Contains(page, "javascript:") {
		t.Error("an address that is a script is on the page")
	}
	if seen := f.Asked("inventory"); seen.URL.Path != "/api/products" || seen.Header.Get("X-Request-Id") != "r-1" {
		t.Errorf("inventory was asked for %s with %v", seen.URL, seen.Header)
	}
}

func TestWithoutInventoryThePageAsksToTryAgain(t *testing.T) {
	t.Parallel()
	for name, broken := range map[string]func(*apptest.Fixture){
		"gone":   func(f *apptest.Fixture) { f.Services["inventory"].Close() },
		"broken": func(f *apptest.Fixture) { f.Answer("inventory", apptest.Says(500, `{"stack":"trace"}`)) },
		"silent": func(f *apptest.Fixture) {
			f.Answer("inventory", apptest.Silent)
		},
		"nonsense": func(f *apptest.Fixture) { f.Answer("inventory", apptest.Says(200, `<h1>`)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := apptest.NewSilent(t)
			broken(f)
			answer, page := f.Get("/")
			if answer.StatusCode != http.StatusServiceUnavailable || answer.Header.Get("Retry-After") == "" || !strings.Contains(page, "We will be right back") {
				t.Errorf("%s with %v: %s", answer.Status, answer.Header, page)
			}
			if strings.Contains(page, "127.0.0.1") || strings.Contains(page, "trace") || !strings.Contains(page, `http-equiv="refresh"`) {
				t.Errorf("the page is %s", page)
			}
		})
	}
}

func TestTheShopStaysOpenWithTheLastCatalogueForAnHour(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	f.Answer("inventory", apptest.Says(200, `{"items":[{"sku":"PEN","name":"Pen","price":{"amount":100,"currency":"EUR"},"available":9}]}`))
	f.Answer("orders", apptest.Says(200, `{"items":[{"id":"1","status":"paid","lines":[{"sku":"PEN","quantity":1}]}]}`))
	b := f.As("alice")
	if page := b.Loads(200, "/", "Pen", "€1.00"); strings.Contains(page, "does not answer") {
		t.Error("inventory answers, and the page says that it does not")
	}
	b.Posts("/cart", "/#PEN", "sku", "PEN", "quantity", "2")
	f.Services["inventory"].Close()
	b.Loads(200, "/", "Inventory does not answer", "Pen", "€1.00")
	b.Loads(200, "/cart", "Pen", "€2.00")
	if page := b.Loads(200, "/orders"); strings.Contains(page, "cannot be shown") {
		t.Error("there are pictures, and the page says that there are not")
	}

	b.Loads(200, "/?utm_source=friends", "Inventory does not answer", "Pen")
	b.Loads(503, "/?q=pen", "We will be right back")
	b.Loads(503, "/?sort=price", "We will be right back")

	f.App.Shop.Age(shop.StaleFor)
	b.Loads(503, "/", "We will be right back")
	b.Loads(200, "/cart", "Names and prices cannot be shown")
}

func TestAnEmptyCatalogueIsAPage(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	if answer, page := f.Get("/"); answer.StatusCode != http.StatusOK || !strings.Contains(page, "The shelves are empty") {
		t.Errorf("%s: %s", answer.Status, page)
	}
}

func TestTheFirstPageOfADemonstrationSaysWhatToTry(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	b := f.Stranger()
	b.Loads(200, "/", "Three things to try", `value="/backstage"`, `value="/laboratory"`)
	for _, path := range []string{"/?q=mug", "/?cursor=x"} {
		if page := b.Loads(200, path); strings.Contains(page, "Three things to try") {
			t.Errorf("%s says it, too", path)
		}
	}
	if page := apptest.NewWith(t, time.Minute, "SIMULATOR_URL").Stranger().Loads(200, "/"); strings.Contains(page, "Three things to try") {
		t.Error("a shop that is no demonstration says it, too")
	}
}
