package console_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"example.com/orderflow/bff-web/app/apptest"
)

func TestStockHasPagesAndSearch(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	f.Answer("inventory", apptest.Says(200, `{"items":[{"sku":"PEN","name":"Pen"}],"next_cursor":"abc"}`))
	b := f.As("olga")
	b.Loads(200, "/operations/stock?q=pen&cursor=x", `href="/operations/stock?q=pen">First page`, `href="/operations/stock?cursor=abc&amp;q=pen"`, `name="back" value="/operations/stock?cursor=x&amp;q=pen"`, `data-label="On hand"`)
	if seen := f.Asked("inventory"); seen.URL.RawQuery != "cursor=x&limit=50&q=pen" {
		t.Errorf("inventory was asked for %s", seen.URL)
	}
	b.Posts("/operations/stock", "/operations/stock?cursor=x&q=pen#PEN", "sku", "PEN", "add", "1", "key", "k", "back", "/operations/stock?cursor=x&q=pen")
	b.Posts("/operations/stock", "/operations/stock#PEN", "sku", "PEN", "add", "1", "key", "k", "back", "https://elsewhere.example/")
}

func TestStockIsShownAndReplenishedOnce(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	f.Answer("inventory", apptest.Says(200, `{"items":[{"sku":"PEN","name":"Pen","available":1,"reserved":2,"backordered":3,"on_order":4,"kept":1,"reorder_point":5,"reorder_quantity":10}]}`))
	b := f.As("olga")
	page := b.Loads(200, "/operations/stock", "Pen", "10 at 5", `class="number bad" data-label="On hand">1 <span class="soft">(1 kept)</span><`)
	var got struct{ Add int }
	f.Answer("inventory", func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewDecoder(r.Body).Decode(&got)
		w.WriteHeader(http.StatusOK)
	})
	key := apptest.KeyOf.FindStringSubmatch(page)[1]
	b.Posts("/operations/stock", "/operations/stock#PEN", "sku", "PEN", "name", "Pen", "add", "12", "key", key)
	if seen := f.Asked("inventory"); got.Add != 12 || seen.URL.Path != "/api/products/PEN/stock" || seen.Header.Get("Idempotency-Key") != key {
		t.Errorf("%+v, %s", got, seen.URL)
	}
	f.Answer("inventory", apptest.Says(200, `{"items":[]}`))
	b.Loads(200, "/operations/stock", "Pen: what you have added is on the shelf.")
	for from, to := range map[string]string{f.URL + "/operations/stock?q=pen": "/operations/stock?q=pen", "https://evil.example//x.example/": "/", "": "/"} {
		b.Headers["Referer"] = from
		answer, page := b.Send(http.MethodPost, "/operations/stock", url.Values{"sku": {"../x"}, "add": {"1"}})
		if answer.StatusCode != http.StatusBadRequest || !strings.Contains(page, `<a class="button" href="`+to+`">`) {
			t.Errorf("%s leads back from %q to %s", answer.Status, from, page)
		}
	}
}
