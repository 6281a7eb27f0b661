package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"example.com/orderflow/pkg/messages"
	"example.com/orderflow/pkg/web"
)

func TestPlacingAnOrder(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	if a := f.call(http.MethodPost, "/api/orders", goodOrder, f.as("alice"), header("Idempotency-Key", "early")); a.status != http.StatusServiceUnavailable || a.header.Get("Retry-After") == "" {
		t.Errorf("before the catalogue is here: %d %s", a.status, a.body)
	}
	f.stock("MUG-BLUE", "PEN")
	a := f.call(http.MethodPost, "/api/orders", goodOrder, f.as("alice"), header("Idempotency-Key", `"k1"`))
	var o orderBody
	a.into(t, &o)
	if a.status != http.StatusAccepted || a.header.Get("Location") != "/api/orders/"+o.ID {
		t.Fatalf("%d, Location %q", a.status, a.header.Get("Location"))
	}
	if o.Status != placed || o.CustomerID != "alice" || o.Total != (messages.Money{Amount: 2598, Currency: "EUR"}) || o.Lines[0].UnitPrice.Amount != 1299 ||
		o.Links["tracking"] != "/api/orders/"+o.ID+"/tracking" || uuid.MustParse(o.ID).Version() != 7 {
		t.Errorf("%s", a.body)
	}
	again := f.call(http.MethodPost, "/api/orders", strings.ReplaceAll(goodOrder, ",", ", "), f.as("alice"), header("Idempotency-Key", "k1"))
	if a.header.Get("Idempotency-Replayed") != "" || again.header.Get("Idempotency-Replayed") != "true" || again.status != http.StatusAccepted || string(again.body) != string(a.body) || again.header.Get("Location") != a.header.Get("Location") {
		t.Errorf("the same key: %d %s\nwant %s", again.status, again.body, a.body)
	}
	other := f.call(http.MethodPost, "/api/orders", strings.Replace(goodOrder, `"quantity":2`, `"quantity":3`, 1), f.as("alice"), header("Idempotency-Key", "k1"))
	if other.status != http.StatusUnprocessableEntity {
		t.Errorf("the same key for another order: %d", other.status)
	}
	bobs := f.call(http.MethodPost, "/api/orders", goodOrder, f.as("bob"), header("Idempotency-Key", "k1"))
	if bobs.status != http.StatusAccepted || string(bobs.body) == string(a.body) {
		t.Errorf("another customer's key: %d %s", bobs.status, bobs.body)
	}
}

func TestAHundredPostsWithOneKeyMakeOneOrder(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.stock("MUG-BLUE")
	var mu sync.Mutex
	bodies := map[string]int{}
	first := 0
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			a := f.call(http.MethodPost, "/api/orders", goodOrder, f.as("alice"), header("Idempotency-Key", "one"))
			mu.Lock()
			defer mu.Unlock()
			bodies[fmt.Sprint(a.status, string(a.body))]++
			if a.header.Get("Idempotency-Replayed") == "" {
				first++
			}
		})
	}
	all.Wait()
	var orders, outbox int
	if err := f.db.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM orders), (SELECT count(*) FROM outbox WHERE kind = 'inventory.reserve_stock')`).Scan(&orders, &outbox); err != nil {
		t.Fatal(err)
	}
	if orders != 1 || outbox != 1 || len(bodies) != 1 || first != 1 {
		t.Errorf("%d orders, %d commands, answers %v, %d not replayed", orders, outbox, bodies, first)
	}
}

// Times are in UTC wherever the program runs, so that those of one order can be compared as text.
func TestTimesAreUTC(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.stock("MUG-BLUE")
	path := "/api/orders/" + f.place()
	for _, path := range []string{path, path + "/tracking", "/api/orders"} {
		a := f.call(http.MethodGet, path, "", f.as("alice"))
		times := regexp.MustCompile(`"[0-9]{4}-[0-9]{2}-[0-9]{2}T[^"]*"`).FindAllString(string(a.body), -1)
		if len(times) == 0 || slices.ContainsFunc(times, func(text string) bool { return !strings.HasSuffix(text, `Z"`) }) {
			t.Errorf("%s tells %v", path, times)
		}
	}
}

func TestBadOrdersAreRefusedAndNothingIsKept(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.stock("MUG-BLUE")
	edit := func(old, new string) string { return strings.Replace(goodOrder, old, new, 1) }
	lines := func(n int) string {
		var all []string
		for i := range n {
			all = append(all, fmt.Sprintf(`{"sku":"S%d","quantity":1}`, i))
		}
		return edit(`{"sku":"MUG-BLUE","quantity":2}`, strings.Join(all, ","))
	}
	key := header("Idempotency-Key", "bad")
	for _, c := range []struct {
		name   string
		body   string
		status int
		field  string // of the first entry in errors
		option option
	}{
		{"malformed JSON", `{"lines":`, 400, "", key},
		{"empty", ``, 415, "", key},
		{"an empty body that says it is JSON", ` `, 400, "", key},
		{"two values", goodOrder + goodOrder, 400, "", key},
		{"invalid UTF-8", edit("Alice", "\xff\xfe"), 400, "", key},
		{"a NUL", edit("Alice", `A\u0000`), 422, "shipping_address.name", key},
		{"a raw NUL", edit("Alice", "A\x00"), 400, "", key},
		{"an unknown field", edit(`"payment_method"`, `"price":1,"payment_method"`), 422, "price", key},
		{"a wrong type", edit(`"quantity":2`, `"quantity":"2"`), 422, "lines[0].quantity", key},
		{"a fraction", edit(`"quantity":2`, `"quantity":1.5`), 422, "lines[0].quantity", key},
		{"null", `null`, 422, "lines", key},
		{"a quantity, and another in capitals", edit(`"quantity":2`, `"quantity":1,"Quantity":9`), 422, "lines[0].Quantity", key},
		{"a quantity twice", edit(`"quantity":2`, `"quantity":1,"quantity":9`), 422, "lines[0].quantity", key},
		{"lines in capitals", edit(`"lines"`, `"LINES"`), 422, "LINES", key},
		{"half a surrogate pair", edit("Alice", `\ud83d`), 400, "", key},
		{"a name of blanks", edit("Alice", ` \u00a0\u200b`), 422, "shipping_address.name", key},
		{"a street that turns round", edit("Main", `\u202eMain`), 422, "shipping_address.street", key},
		{"a city that is a letter nobody sees", edit("Berlin", `\u3164`), 422, "shipping_address.city", key},
		{"a country that is none", edit(`"DE"`, `"ZZ"`), 422, "shipping_address.country", key},
		{"a country that is no more", edit(`"DE"`, `"AN"`), 422, "shipping_address.country", key},
		{"a country in small letters", edit(`"DE"`, `"de"`), 422, "shipping_address.country", key},
		{"a SKU in small letters", edit("MUG-BLUE", "mug-blue"), 422, "lines[0].sku", key},
		{"a list", `[]`, 422, "(body)", key},
		{"quantity 0", edit(`"quantity":2`, `"quantity":0`), 422, "lines[0].quantity", key},
		{"a negative quantity", edit(`"quantity":2`, `"quantity":-1`), 422, "lines[0].quantity", key},
		{"a billion", edit(`"quantity":2`, `"quantity":1000000000`), 422, "lines[0].quantity", key},
		{"more than a number holds", edit(`"quantity":2`, `"quantity":99999999999999999999`), 422, "lines[0].quantity", key},
		{"a SKU twice", edit(`{"sku":"MUG-BLUE","quantity":2}`, `{"sku":"MUG-BLUE","quantity":2},{"sku":"MUG-BLUE","quantity":1}`), 422, "lines[1].sku", key},
		{"an unknown SKU", edit("MUG-BLUE", "NO-SUCH"), 422, "lines[0].sku", key},
		{"no lines", edit(`{"sku":"MUG-BLUE","quantity":2}`, ""), 422, "lines", key},
		{"10,000 lines", lines(10_000), 422, "lines", key},
		{"5 MB", edit("Alice", strings.Repeat("a", 5<<20)), 413, "", key},
		{"no country", edit(`"DE"`, `"Germany"`), 422, "shipping_address.country", key},
		{"compressed", goodOrder, 415, "", func(r *http.Request) { key(r); r.Header.Set("Content-Encoding", "gzip") }},
		{"another media type", goodOrder, 415, "", func(r *http.Request) { key(r); r.Header.Set("Content-Type", "text/plain") }},
		{"no key", goodOrder, 400, "", func(*http.Request) {}},
		{"an endless key", goodOrder, 400, "", header("Idempotency-Key", strings.Repeat("k", 256))},
		{"a key with a space", goodOrder, 400, "", header("Idempotency-Key", "a b")},
	} {
		a := f.call(http.MethodPost, "/api/orders", c.body, f.as("alice"), c.option)
		var p web.Problem
		if err := json.Unmarshal(a.body, &p); err != nil {
			t.Errorf("%s: %d %s", c.name, a.status, a.body)
			continue
		}
		if a.status != c.status || p.Status != c.status || a.header.Get("Content-Type") != web.ProblemType || p.RequestID == "" || p.Detail == "" || p.Instance != "/api/orders" {
			t.Errorf("%s: %d %s, want %d", c.name, a.status, a.body, c.status)
		}
		if c.field != "" && (len(p.Errors) == 0 || p.Errors[0].Field != c.field) {
			t.Errorf("%s: errors %v, want one about %s", c.name, p.Errors, c.field)
		}
	}
	var orders, keys int
	if err := f.db.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM orders), (SELECT count(*) FROM idempotency_keys)`).Scan(&orders, &keys); err != nil || orders+keys != 0 {
		t.Errorf("%d orders and %d keys were kept, %v", orders, keys, err)
	}
}

func TestWhoMaySeeAnOrder(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.stock("MUG-BLUE")
	id := f.place()
	nobody := func(*http.Request) {}
	expired, err := f.issuer.Token("alice", []string{"orders"}, -time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	unscoped, err := f.issuer.Token("alice", nil, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		method, path string
		who          option
		status       int
	}{
		{"GET", "/api/orders/" + id, f.as("alice"), 200},
		{"GET", "/api/orders/" + id + "/tracking", f.as("alice"), 200},
		{"GET", "/api/orders/" + id, f.as("olga"), 200},
		{"GET", "/api/orders/" + id, f.as("bob"), 404},
		{"GET", "/api/orders/" + id + "/tracking", f.as("bob"), 404},
		{"POST", "/api/orders/" + id + "/cancellation", f.as("bob"), 404},
		{"GET", "/api/orders/" + uuid.NewString(), f.as("alice"), 404},
		{"GET", "/api/orders/nonsense", f.as("alice"), 404},
		{"GET", "/api/orders/" + id, nobody, 401},
		{"GET", "/api/orders/" + id, header("Authorization", "Bearer nonsense"), 401},
		{"GET", "/api/orders/" + id, header("Authorization", "Bearer "+expired), 401},
		{"GET", "/api/orders/" + id, header("Authorization", "Bearer "+unscoped), 403},
		{"GET", "/api/operations/attention", f.as("alice"), 403},
		{"DELETE", "/api/orders/" + id, f.as("alice"), 405},
		{"GET", "/api/elsewhere", f.as("alice"), 404},
		{"GET", "/api/orders?limit=0", f.as("alice"), 400},
		{"GET", "/api/orders?limit=x", f.as("alice"), 400},
		{"GET", "/api/orders?cursor=nonsense", f.as("alice"), 400},
	} {
		a := f.call(c.method, c.path, "", c.who)
		if a.status != c.status {
			t.Errorf("%s %s: %d %s, want %d", c.method, c.path, a.status, a.body, c.status)
		}
		if a.status >= 400 && a.header.Get("Content-Type") != web.ProblemType {
			t.Errorf("%s %s: %s", c.method, c.path, a.header.Get("Content-Type"))
		}
	}
	a := f.call(http.MethodGet, "/api/orders/"+id, "", f.as("alice"))
	if a := f.call(http.MethodGet, "/api/orders/"+id, "", f.as("alice"), header("If-None-Match", a.header.Get("ETag"))); a.status != http.StatusNotModified {
		t.Errorf("a copy that is still good: %d", a.status)
	}
}

func TestAListIsPagedNewestFirst(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.stock("MUG-BLUE")
	var placed []string
	for range 5 {
		placed = append([]string{f.place()}, placed...)
	}
	var got []string
	for cursor := ""; ; {
		var page struct {
			Items []orderBody `json:"items"`
			Next  string      `json:"next_cursor"`
		}
		f.call(http.MethodGet, "/api/orders?limit=2&cursor="+cursor, "", f.as("alice")).into(t, &page)
		for _, o := range page.Items {
			got = append(got, o.ID)
		}
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	if fmt.Sprint(got) != fmt.Sprint(placed) {
		t.Errorf("got  %v\nwant %v", got, placed)
	}
	var bobs struct {
		Items []orderBody `json:"items"`
	}
	if f.call(http.MethodGet, "/api/orders", "", f.as("bob")).into(t, &bobs); len(bobs.Items) != 0 {
		t.Errorf("bob sees %v", bobs.Items)
	}
}
