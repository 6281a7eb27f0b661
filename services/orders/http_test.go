package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/orderflow/pkg/messages"
	"example.com/orderflow/pkg/web"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
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
	if again.status != http.StatusAccepted || string(again.body) != string(a.body) || again.header.Get("Location") != a.header.Get("Location") {
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
	var all sync.WaitGroup
	for range 100 {
		all.Go(func() {
			a := f.call(http.MethodPost, "/api/orders", goodOrder, f.as("alice"), header("Idempotency-Key", "one"))
			mu.Lock()
			defer mu.Unlock()
			bodies[fmt.Sprint(a.status, string(a.body))]++
		})
	}
	all.Wait()
	var orders, outbox int
	if err := f.db.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM orders), (SELECT count(*) FROM outbox WHERE kind = 'inventory.reserve_stock')`).Scan(&orders, &outbox); err != nil {
		t.Fatal(err)
	}
	if orders != 1 || outbox != 1 || len(bodies) != 1 {
		t.Errorf("%d orders, %d commands, answers %v", orders, outbox, bodies)
	}
}

// Wherever the program runs, times are told in UTC: those of one order can be compared as texts.
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

// What is sent is the same request again when the same is sent, whatever becomes of it here.
func TestARequestIsKnownAgainAsItWasSent(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.stock("MUG-BLUE")
	untidy := strings.NewReplacer("Alice", ` Zoe\u0308\u200b `, "Berlin", `\u00a0Köln`).Replace(goodOrder)
	var first, again orderBody
	f.call(http.MethodPost, "/api/orders", untidy, f.as("alice"), header("Idempotency-Key", "untidy")).into(t, &first)
	a := f.call(http.MethodPost, "/api/orders", untidy, f.as("alice"), header("Idempotency-Key", "untidy"))
	if a.into(t, &again); a.status != http.StatusAccepted || first.ID != again.ID {
		t.Errorf("%d %s", a.status, a.body)
	}
	if kept := first.ShippingAddress; kept.Name != "Zoë" || kept.City != "Köln" {
		t.Errorf("kept as %+q", kept)
	}
}

// fingerprinted is goodOrder as every release has fingerprinted it. A field that is not sent is not in it, however new.
const fingerprinted = `{"lines":[{"sku":"MUG-BLUE","quantity":2}],"payment_method":"tok_visa",` +
	`"shipping_address":{"name":"Alice","street":"1 Main St","city":"Berlin","postal_code":"10115","country":"DE"},"allow_backorder":false}`

func TestAKeyOfAnotherReleaseIsKnown(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.stock("MUG-BLUE")
	p, err := readPlacing(goodOrder)
	if err != nil {
		t.Fatal(err)
	}
	want := sha256.Sum256([]byte(fingerprinted))
	if got, err := fingerprint(p); err != nil || !bytes.Equal(got, want[:]) {
		t.Errorf("a release that runs beside this one does not know it: %v", err)
	}
	// One that an earlier release has kept, of an order that this one would not accept.
	blank := strings.Replace(fingerprinted, "Alice", " ", 1)
	sum := sha256.Sum256([]byte(blank))
	answer := remembered{sum[:], uuid.NewString(), []byte(`{"id":"theirs"}`)}
	if err := f.db.Tx(t.Context(), func(tx pgx.Tx) error {
		_, err := remember(t.Context(), tx, "alice", "theirs", answer)
		return err
	}); err != nil {
		t.Fatal(err)
	}
	a := f.call(http.MethodPost, "/api/orders", strings.Replace(goodOrder, "Alice", " ", 1), f.as("alice"), header("Idempotency-Key", "theirs"))
	if a.status != http.StatusAccepted || string(a.body) != `{"id":"theirs"}` {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// Nothing keeps the number of a card, or tells it to anybody: no table, no message, no log, no answer.
func TestANumberOfACardComesInNowhere(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.stock("MUG-BLUE")
	for name, body := range map[string]string{
		"as the method":        strings.Replace(goodOrder, "tok_visa", "4111111111111111", 1),
		"with blanks":          strings.Replace(goodOrder, "tok_visa", "4111 1111 1111 1111", 1),
		"with hyphens":         strings.Replace(goodOrder, "tok_visa", "4111-1111-1111-1111", 1),
		"with what is unseen":  strings.Replace(goodOrder, "tok_visa", `4111\u200b111111111111`, 1),
		"in wide digits":       strings.Replace(goodOrder, "tok_visa", "４１１１１１１１１１１１１１１１", 1),
		"as a number":          strings.Replace(goodOrder, `"tok_visa"`, "4111111111111111", 1),
		"in the street":        strings.Replace(goodOrder, "1 Main St", "1 Main St, 4111 1111 1111 1111", 1),
		"in the name":          strings.Replace(goodOrder, "Alice", "Alice 4111111111111111", 1),
		"as a SKU":             strings.Replace(goodOrder, "MUG-BLUE", "4111111111111111", 1),
		"as a country":         strings.Replace(goodOrder, `"DE"`, `"4111111111111111"`, 1),
		"as a quantity":        strings.Replace(goodOrder, `"quantity":2`, `"quantity":4111111111111111`, 1),
		"as a member":          strings.Replace(goodOrder, `{"lines"`, `{"4111111111111111":1,"lines"`, 1),
		"in what is no JSON":   strings.Replace(goodOrder, `"tok_visa"`, "4111111111111111x", 1),
		"as a member, as text": strings.Replace(goodOrder, `"payment_method"`, `"card":"4111111111111111","payment_method"`, 1),
	} {
		a := f.call(http.MethodPost, "/api/orders", body, f.as("alice"), header("Idempotency-Key", "card"))
		if a.status != http.StatusUnprocessableEntity && a.status != http.StatusBadRequest || strings.Contains(string(a.body), "4111") {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	var rows int
	if err := f.db.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM orders) + (SELECT count(*) FROM idempotency_keys) + (SELECT count(*) FROM outbox)`).Scan(&rows); err != nil || rows != 0 {
		t.Errorf("%d rows are kept, %v", rows, err)
	}
	if a := f.call(http.MethodPost, "/api/orders", strings.Replace(goodOrder, "1 Main St", "Postfach 12 34 56, 10115", 1), f.as("alice"), header("Idempotency-Key", "card")); a.status != http.StatusAccepted {
		t.Errorf("digits of another kind: %d %s", a.status, a.body)
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

func TestCancelling(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.stock("MUG-BLUE")
	early, late := f.place(), f.place()
	for range 2 { // asking twice changes nothing
		if a := f.call(http.MethodPost, "/api/orders/"+early+"/cancellation", "", f.as("alice")); a.status != http.StatusAccepted {
			t.Fatalf("cancel: %d %s", a.status, a.body)
		}
	}
	if got, want := f.sent(early), "reserve_stock release_stock"; got != want || f.status(early) != releasing {
		t.Errorf("%s, sent %s, want %s", f.status(early), got, want)
	}
	f.receive(messages.StockReserved{OrderID: late}, messages.PaymentTaken{OrderID: late}, messages.ShipmentDispatched{OrderID: late})
	if a := f.call(http.MethodPost, "/api/orders/"+late+"/cancellation", "", f.as("alice")); a.status != http.StatusConflict {
		t.Errorf("cancel after dispatch: %d %s", a.status, a.body)
	}
}
