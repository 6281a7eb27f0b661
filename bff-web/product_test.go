package main

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"example.com/orderflow/pkg/messages"
)

// counter is an inventory with one product, which has a tag for each edition.
type counter struct {
	mu     sync.Mutex
	stored edition
	tag    string
	put    []string // conditions and bodies of what was sent
	silent bool     // it stores what it is sent, and does not answer
}

func (k *counter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case r.URL.Path != "/api/products/CUP":
		refuses(404, `{"detail":"there is no such product"}`)(w, r)
	case r.Method == http.MethodGet && k.tag == "":
		refuses(404, `{"detail":"there is no such product"}`)(w, r)
	case r.Method == http.MethodGet:
		w.Header().Set("ETag", k.tag)
		_ = json.NewEncoder(w).Encode(k.stored)
	default:
		var sent json.RawMessage
		_ = json.NewDecoder(r.Body).Decode(&sent)
		k.put = append(k.put, r.Method+" "+r.Header.Get("If-Match")+r.Header.Get("If-None-Match")+" "+string(sent))
		if r.Header.Get("If-None-Match") != "" && k.tag != "" || r.Header.Get("If-Match") != "" && r.Header.Get("If-Match") != k.tag {
			refuses(412, `{"detail":"this has changed"}`)(w, r)
			return
		}
		_ = json.Unmarshal(sent, &k.stored)
		k.tag = `"` + string(rune('a'+len(k.put))) + `-x"`
		if k.silent {
			says(503, `{}`)(w, r)
			return
		}
		says(200, `{}`)(w, r)
	}
}

func cup() *counter {
	return &counter{stored: edition{"Cup", "A cup.", messages.Money{Amount: 500, Currency: "EUR"}, 2, 10, false}, tag: `"seen-x"`}
}

const cupPage = "/operations/products/CUP"

func cupForm(fields ...string) url.Values {
	form := url.Values{"name": {"Cup"}, "description": {"A cup."}, "price": {"5.00"}, "currency": {"EUR"}, "reorder_point": {"2"}, "reorder_quantity": {"10"}, "retired": {"no"}, "tag": {`"seen-x"`}}
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	return form
}

// submits sends a form, which must be answered with a page.
func submits(b *browser, status int, path string, form url.Values, wants ...string) string {
	b.Helper()
	answer, page := b.send(http.MethodPost, path, form)
	if answer.StatusCode != status {
		b.Fatalf("%s: %s to %q: %s", path, answer.Status, answer.Header.Get("Location"), page)
	}
	for _, want := range wants {
		if !strings.Contains(page, want) {
			b.Errorf("%s lacks %q:\n%s", path, want, page)
		}
	}
	return page
}

func TestAnOperatorChangesAProductAndRetiresIt(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	k := cup()
	f.answer("inventory", k.ServeHTTP)
	b := f.as("olga")
	b.loads(200, cupPage, `value="Cup"`, `>A cup.</textarea>`, `value="5.00"`, `value="2"`, `value="&#34;seen-x&#34;"`, `value="no" checked`)
	submits(b, 303, cupPage, cupForm("price", "6,5", "description", "A cup.\r\nWith a handle."))
	if want := `PUT "seen-x" {"description":"A cup.\nWith a handle.","name":"Cup","price":{"amount":650,"currency":"EUR"},"reorder_point":2,"reorder_quantity":10}`; k.put[0] != want {
		t.Errorf("sent %s, want %s", k.put[0], want)
	}
	b.loads(200, cupPage, "Cup: what you have decided is saved.", `value="6.50"`)
	submits(b, 303, cupPage, cupForm("tag", k.tag, "retired", "yes"))
	if !strings.Contains(k.put[1], `"retired":true`) || !k.stored.Retired {
		t.Errorf("sent %s", k.put[1])
	}
	b.loads(200, cupPage, `value="yes" checked`)
	submits(b, 303, cupPage, cupForm("tag", k.tag))
	if !strings.Contains(k.put[2], `"retired":false`) || k.stored.Retired {
		t.Errorf("sent %s", k.put[2])
	}
}

func TestAChangeOfSomebodyElseIsShownBesideWhatWasTyped(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	k := cup()
	f.answer("inventory", k.ServeHTTP)
	b := f.as("olga")
	k.tag, k.stored.Name, k.stored.Retired = `"theirs-x"`, "Beaker <1>", true
	page := submits(b, 412, cupPage, cupForm("name", "Goblet"), "somebody else has changed this product", `value="Goblet"`, "Stored now: Beaker &lt;1&gt;", "Stored now: retired", `value="&#34;theirs-x&#34;"`)
	if n := strings.Count(page, "Stored now"); n != 2 {
		t.Errorf("%d differences", n)
	}
	submits(b, 412, cupPage, cupForm("name", "Goblet", "tag", ""), "Stored now: Beaker") // a form without a tag has seen nothing
	if k.stored.Name != "Beaker <1>" {
		t.Errorf("stored: %+v", k.stored)
	}
	submits(b, 303, cupPage, cupForm("name", "Goblet", "tag", k.tag))
	if k.stored.Name != "Goblet" || k.stored.Retired {
		t.Errorf("stored: %+v", k.stored)
	}
}

func TestAProductThatWasSavedWithoutAnAnswerIsSaved(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	k := cup()
	k.silent = true // the client sends it again, and is refused
	f.answer("inventory", k.ServeHTTP)
	submits(f.as("olga"), 303, cupPage, cupForm("name", "Goblet"))
	if len(k.put) != 2 || k.stored.Name != "Goblet" {
		t.Errorf("stored %+v after %v", k.stored, k.put)
	}
}

func TestAnOperatorAddsAProduct(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	k := &counter{}
	f.answer("inventory", k.ServeHTTP)
	b := f.as("olga")
	b.loads(200, "/operations/products/new", "New product", `name="sku"`, `value="EUR"`)
	add := func(fields ...string) url.Values {
		form := cupForm(append([]string{"sku", "cup"}, fields...)...)
		form.Del("tag")
		form.Del("retired")
		return form
	}
	answer, _ := b.send(http.MethodPost, "/operations/products/new", add())
	if answer.Header.Get("Location") != cupPage || len(k.put) != 1 || !strings.HasPrefix(k.put[0], "PUT * ") || strings.Contains(k.put[0], "retired") {
		t.Fatalf("%s to %s after %v", answer.Status, answer.Header.Get("Location"), k.put)
	}
	submits(b, 412, "/operations/products/new", add("name", "Another"), "belongs to another product already", `value="Another"`, `href="/operations/products/CUP"`)
	if k.stored.Name != "Cup" {
		t.Errorf("stored: %+v", k.stored)
	}
}

func TestWhatIsWrongWithAProductStandsBesideItsField(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	k := cup()
	f.answer("inventory", k.ServeHTTP)
	b := f.as("olga")
	for _, test := range [][]string{
		{"price", "", "must be an amount such as 12.99"},
		{"price", "12.999", "must be an amount such as 12.99"},
		{"price", "-1", "must be an amount such as 12.99"},
		{"reorder_point", "few", "must be a whole number"},
		{"reorder_quantity", "", "must be a whole number"},
	} {
		submits(b, 422, cupPage, cupForm(test[0], test[1]), test[2], `id="`+test[0]+`-error"`, `aria-invalid="true" aria-describedby="`+test[0]+`-error`)
	}
	submits(b, 422, cupPage, cupForm("price", "12.99", "currency", "JPY"), "must be an amount such as 1299")
	submits(b, 422, "/operations/products/new", cupForm("sku", "-cup!"), "not a hyphen first", `value="-CUP!"`)
	if len(k.put) > 0 {
		t.Errorf("sent %v", k.put)
	}
	f.answer("inventory", func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			k.ServeHTTP(w, r)
			return
		}
		refuses(422, `{"detail":"name: is empty","errors":[{"field":"name","message":"must have 1 to 120 characters"},{"field":"price.amount","message":"must be 1 to 9, in the minor unit"}]}`)(w, r)
	})
	submits(b, 422, cupPage, cupForm("name", " "), "must have 1 to 120 characters", "is too low or too high", `value=" "`)
	f.answer("inventory", func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			k.ServeHTTP(w, r)
			return
		}
		says(503, `{}`)(w, r)
	})
	submits(b, 503, cupPage, cupForm("name", "Goblet"), "does not answer at the moment", `value="Goblet"`)
}

func TestProductsAreForOperators(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	k := cup()
	f.answer("inventory", k.ServeHTTP)
	for _, path := range []string{cupPage, "/operations/products/new"} {
		f.as("alice").loads(403, path, "This is not for you")
		submits(f.as("alice"), 403, path, cupForm("sku", "CUP"))
		submits(f.as("carl"), 403, path, cupForm("sku", "CUP"))
	}
	f.as("olga").loads(404, "/operations/products/NO-SUCH", "There is nothing here")
	f.as("olga").loads(404, "/operations/products/no-such", "There is nothing here")
	submits(f.as("olga"), 404, "/operations/products/NO-SUCH", cupForm())
	if len(k.put) > 0 {
		t.Errorf("sent %v", k.put)
	}
}

func TestAnAmountIsReadAsItIsWritten(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]messages.Money{
		"12.99": {Amount: 1299, Currency: "EUR"}, "12,9": {Amount: 1290, Currency: "EUR"}, "12": {Amount: 1200, Currency: "EUR"}, "0.05": {Amount: 5, Currency: "EUR"},
		"1299": {Amount: 1299, Currency: "JPY"}, "1.234": {Amount: 1234, Currency: "BHD"}, "999999999999": {Amount: 99999999999900, Currency: "EUR"},
	} {
		got, ok := readDecimal(text, want.Currency)
		if again, same := readDecimal(decimal(got), want.Currency); !ok || !same || got != want || again != got {
			t.Errorf("%q is %+v, want %+v", text, got, want)
		}
	}
	for _, text := range []string{"", ".5", "5.", "1.2.3", "1e3", "+1", "-1", "1 000", "9999999999999", "0x1"} {
		if got, ok := readDecimal(text, "EUR"); ok {
			t.Errorf("%q is %+v", text, got)
		}
	}
}

func TestARetiredProductInACartIsNoLongerForSale(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.answer("inventory", says(200, `{"items":[
		{"sku":"PEN","name":"Pen","price":{"amount":5,"currency":"EUR"},"available":9,"retired":true},
		{"sku":"MUG","name":"Mug","price":{"amount":700,"currency":"EUR"},"available":9}]}`))
	b := f.as("alice")
	b.posts("/cart", "/#PEN", "sku", "PEN", "quantity", "1")
	b.posts("/cart", "/#MUG", "sku", "MUG", "quantity", "1")
	if page := b.loads(200, "/cart", "No longer for sale: please remove it.", "€7.00"); strings.Contains(page, "€7.05") || strings.Contains(page, "€0.05") {
		t.Errorf("it costs something: %s", page)
	}
	b.loads(200, "/checkout", "Something is no longer for sale", "Pen")
	f.answer("orders", refuses(422, `{"detail":"x","errors":[{"field":"lines[0].sku","message":"is not sold any more"}]}`))
	page := b.loads(200, "/checkout")
	submits(b, 422, "/checkout", filled(page, "PEN:1/MUG:1"), "Pen: is not sold any more.")
	f.answer("inventory", says(200, `{"items":[{"sku":"PEN","name":"Pen","retired":true},{"sku":"MUG","name":"Mug"}]}`))
	if page := f.as("olga").loads(200, "/operations/stock", `<a href="/operations/products/PEN">Pen</a> <span class="badge cancelled">Retired</span>`, `href="/operations/products/new"`); strings.Count(page, "Retired") != 1 {
		t.Errorf("stock: %s", page)
	}
}
