package main

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"example.com/orderflow/pkg/messages"
	"example.com/orderflow/pkg/web"
)

const shelves = `{"items":[
	{"sku":"MUG-BLUE","name":"Blue mug","description":"Holds <b>0.3 l</b> & more","image":"/api/products/MUG-BLUE/image","price":{"amount":129950,"currency":"EUR"},"available":40,"reorder_point":5,"reorder_quantity":10,"new":1},
	{"sku":"PEN","name":"Pen","description":"","image":"javascript:alert(1)","price":{"amount":5,"currency":"EUR"},"available":2},
	{"sku":"INK","name":"Ink","description":"","image":"","price":{"amount":500,"currency":"JPY"},"available":0,"reorder_quantity":10},
	{"sku":"NIB","name":"Nib","description":"","image":"","price":{"amount":500,"currency":"EUR"},"available":0}]}`

func TestTheFrontPageShowsTheProducts(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.answer("inventory", says(200, shelves))
	answer, page := f.get("/", "X-Request-Id", "r-1")
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
	if seen := f.asked("inventory"); seen.URL.Path != "/api/products" || seen.Header.Get("X-Request-Id") != "r-1" {
		t.Errorf("inventory was asked for %s with %v", seen.URL, seen.Header)
	}
}

// Pages may use only what their own origin serves, so the policy must allow everything that the templates use.
func TestPagesKeepToTheirContentPolicy(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.answer("inventory", says(200, shelves))
	answer, page := f.get("/")
	policy := answer.Header.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self'", "form-action 'self'", "base-uri 'none'", "frame-ancestors 'none'"} {
		if !strings.Contains(policy, want) {
			t.Errorf("the policy %q lacks %s", policy, want)
		}
	}
	if strings.Contains(policy, "unsafe") || answer.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%v", answer.Header)
	}
	if found := regexp.MustCompile(`(?i)<script>|<script [^>]*type="text|<style|\sstyle=|\son[a-z]+=|(src|href)="https?:`).FindString(page); found != "" {
		t.Errorf("the page has %q", found)
	}
	links := regexp.MustCompile(`(?:src|href)="(/static/[^"]+)"`).FindAllStringSubmatch(page, -1)
	if len(links) < 2 {
		t.Fatalf("the page has the static files %q", links)
	}
	for _, link := range links {
		answer, file := f.get(link[1])
		if answer.StatusCode != http.StatusOK || file == "" || !strings.Contains(answer.Header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s: %s with %v", link[1], answer.Status, answer.Header)
		}
	}
}

func TestAStaticFileOfAnotherVersionIsNotKept(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for path, status := range map[string]int{"/static/app.css?v=other": 200, "/static/app.css": 200, "/static/none.css": 404, "/static/": 404, "/static/..%2ftemplates%2flayout.html": 404} {
		answer, _ := f.get(path)
		if answer.StatusCode != status || answer.Header.Get("Cache-Control") != "no-store" && status == 200 {
			t.Errorf("%s: %s, Cache-Control %q", path, answer.Status, answer.Header.Get("Cache-Control"))
		}
	}
	if answer, _ := f.get("/static/app.css"); answer.Header.Get("Content-Type") != "text/css; charset=utf-8" {
		t.Errorf("the style sheet is %s", answer.Header.Get("Content-Type"))
	}
}

func TestWithoutInventoryThePageAsksToTryAgain(t *testing.T) {
	t.Parallel()
	for name, broken := range map[string]func(*fixture){
		"gone":   func(f *fixture) { f.services["inventory"].Close() },
		"broken": func(f *fixture) { f.answer("inventory", says(500, `{"stack":"trace"}`)) },
		"silent": func(f *fixture) {
			f.answer("inventory", silent)
		},
		"nonsense": func(f *fixture) { f.answer("inventory", says(200, `<h1>`)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := silentFixture(t)
			broken(f)
			answer, page := f.get("/")
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
	f := newFixture(t)
	f.answer("inventory", says(200, `{"items":[{"sku":"PEN","name":"Pen","price":{"amount":100,"currency":"EUR"},"available":9}]}`))
	f.answer("orders", says(200, `{"items":[{"id":"1","status":"paid","lines":[{"sku":"PEN","quantity":1}]}]}`))
	b := f.as("alice")
	if page := b.loads(200, "/", "Pen", "€1.00"); strings.Contains(page, "does not answer") {
		t.Error("inventory answers, and the page says that it does not")
	}
	b.posts("/cart", "/#PEN", "sku", "PEN", "quantity", "2")
	f.services["inventory"].Close()
	b.loads(200, "/", "Inventory does not answer", "Pen", "€1.00")
	b.loads(200, "/cart", "Pen", "€2.00")
	if page := b.loads(200, "/orders"); strings.Contains(page, "cannot be shown") {
		t.Error("there are pictures, and the page says that there are not")
	}

	b.loads(200, "/?utm_source=friends", "Inventory does not answer", "Pen")
	b.loads(503, "/?q=pen", "We will be right back")
	b.loads(503, "/?sort=price", "We will be right back")

	f.site.shelf.age(staleFor)
	b.loads(503, "/", "We will be right back")
	b.loads(200, "/cart", "Names and prices cannot be shown")
}

func TestAnEmptyCatalogueIsAPage(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	if answer, page := f.get("/"); answer.StatusCode != http.StatusOK || !strings.Contains(page, "The shelves are empty") {
		t.Errorf("%s: %s", answer.Status, page)
	}
}

func TestNotFoundIsAPageForBrowsersAndAProblemForOthers(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	answer, page := f.get("/nothing", "Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
	if answer.StatusCode != http.StatusNotFound || !strings.Contains(page, "There is nothing here") || answer.Header.Get("Content-Security-Policy") == "" {
		t.Errorf("a browser gets %s: %s", answer.Status, page)
	}
	if answer, _ := f.get("/nothing"); answer.StatusCode != http.StatusNotFound || answer.Header.Get("Content-Type") != web.ProblemType {
		t.Errorf("others get %s, %s", answer.Status, answer.Header.Get("Content-Type"))
	}
}

func TestMoneyIsWrittenAsPeopleDo(t *testing.T) {
	t.Parallel()
	for want, m := range map[string]messages.Money{
		"€12.99":          {Amount: 1299, Currency: "EUR"},
		"$0.00":           {Amount: 0, Currency: "USD"},
		"£0.07":           {Amount: 7, Currency: "GBP"},
		"€1,234,567.89":   {Amount: 123456789, Currency: "EUR"},
		"€999.00":         {Amount: 99900, Currency: "EUR"},
		"−€1,000.05":      {Amount: -100005, Currency: "EUR"},
		"¥1,500":          {Amount: 1500, Currency: "JPY"},
		"KWD\u00a01.500":  {Amount: 1500, Currency: "KWD"},
		"CHF\u00a01.00":   {Amount: 100, Currency: "CHF"},
		"XOF\u00a05,000":  {Amount: 5000, Currency: "XOF"},
		"IQD\u00a05.000":  {Amount: 5000, Currency: "IQD"},
		"CLF\u00a00.5000": {Amount: 5000, Currency: "CLF"},
		"ISK\u00a05":      {Amount: 5, Currency: "ISK"},
		"HUF\u00a050.00":  {Amount: 5000, Currency: "HUF"},
	} {
		if got := money(m); got != want {
			t.Errorf("%+v is %q, not %q", m, got, want)
		}
	}
}

func TestTheFirstPageOfADemonstrationSaysWhatToTry(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	b := f.stranger()
	b.loads(200, "/", "Three things to try", `value="/backstage"`, `value="/laboratory"`)
	for _, path := range []string{"/?q=mug", "/?cursor=x"} {
		if page := b.loads(200, path); strings.Contains(page, "Three things to try") {
			t.Errorf("%s says it, too", path)
		}
	}
	if page := newFixtureWith(t, time.Minute, "SIMULATOR_URL").stranger().loads(200, "/"); strings.Contains(page, "Three things to try") {
		t.Error("a shop that is no demonstration says it, too")
	}
}
