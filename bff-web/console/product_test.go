package console_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"example.com/orderflow/bff-web/app/apptest"
	"example.com/orderflow/bff-web/console"
	"example.com/orderflow/pkg/messages"
)

// counter is an inventory with one product, which has a tag for each edition.
type counter struct {
	mu     sync.Mutex
	stored console.Edition
	tag    string
	put    []string // conditions and bodies of what was sent
	silent bool     // it stores what it is sent, and does not answer
}

func (k *counter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case r.URL.Path != "/api/products/CUP":
		apptest.Refuses(404, `{"detail":"there is no such product"}`)(w, r)
	case r.Method == http.MethodGet && k.tag == "":
		apptest.Refuses(404, `{"detail":"there is no such product"}`)(w, r)
	case r.Method == http.MethodGet:
		w.Header().Set("ETag", k.tag)
		_ = json.NewEncoder(w).Encode(k.stored)
	default:
		var sent json.RawMessage
		_ = json.NewDecoder(r.Body).Decode(&sent)
		k.put = append(k.put, r.Method+" "+r.Header.Get("If-Match")+r.Header.Get("If-None-Match")+" "+string(sent))
		if r.Header.Get("If-None-Match") != "" && k.tag != "" || r.Header.Get("If-Match") != "" && r.Header.Get("If-Match") != k.tag {
			apptest.Refuses(412, `{"detail":"this has changed"}`)(w, r)
			return
		}
		_ = json.Unmarshal(sent, &k.stored)
		k.tag = `"` + string(rune('a'+len(k.put))) + `-x"`
		if k.silent {
			apptest.Says(503, `{}`)(w, r)
			return
		}
		apptest.Says(200, `{}`)(w, r)
	}
}

func cup() *counter {
	return &counter{stored: console.Edition{"Cup", "A cup.", messages.Money{Amount: 500, Currency: "EUR"}, 2, 10, false}, tag: `"seen-x"`}
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
func submits(b *apptest.Browser, status int, path string, form url.Values, wants ...string) string {
	b.Helper()
	answer, page := b.Send(http.MethodPost, path, form)
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
	f := apptest.New(t)
	k := cup()
	f.Answer("inventory", k.ServeHTTP)
	b := f.As("olga")
	b.Loads(200, cupPage, `value="Cup"`, `>A cup.</textarea>`, `value="5.00"`, `value="2"`, `value="&#34;seen-x&#34;"`, `value="no" checked`)
	submits(b, 303, cupPage, cupForm("price", "6,5", "description", "A cup.\r\nWith a handle."))
	if want := `PUT "seen-x" {"description":"A cup.\nWith a handle.","name":"Cup","price":{"amount":650,"currency":"EUR"},"reorder_point":2,"reorder_quantity":10}`; k.put[0] != want {
		t.Errorf("sent %s, want %s", k.put[0], want)
	}
	b.Loads(200, cupPage, "Cup: what you have decided is saved.", `value="6.50"`)
	submits(b, 303, cupPage, cupForm("tag", k.tag, "retired", "yes"))
	if !strings.Contains(k.put[1], `"retired":true`) || !k.stored.Retired {
		t.Errorf("sent %s", k.put[1])
	}
	b.Loads(200, cupPage, `value="yes" checked`)
	submits(b, 303, cupPage, cupForm("tag", k.tag))
	if !strings.Contains(k.put[2], `"retired":false`) || k.stored.Retired {
		t.Errorf("sent %s", k.put[2])
	}
}

func TestAChangeOfSomebodyElseIsShownBesideWhatWasTyped(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	k := cup()
	f.Answer("inventory", k.ServeHTTP)
	b := f.As("olga")
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
	f := apptest.New(t)
	k := cup()
	k.silent = true // the client sends it again, and is refused
	f.Answer("inventory", k.ServeHTTP)
	submits(f.As("olga"), 303, cupPage, cupForm("name", "Goblet"))
	if len(k.put) != 2 || k.stored.Name != "Goblet" {
		t.Errorf("stored %+v after %v", k.stored, k.put)
	}
}

func TestAnOperatorAddsAProduct(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	k := &counter{}
	f.Answer("inventory", k.ServeHTTP)
	b := f.As("olga")
	b.Loads(200, "/operations/products/new", "New product", `name="sku"`, `value="EUR"`)
	add := func(fields ...string) url.Values {
		form := cupForm(append([]string{"sku", "cup"}, fields...)...)
		form.Del("tag")
		form.Del("retired")
		return form
	}
	answer, _ := b.Send(http.MethodPost, "/operations/products/new", add())
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
	f := apptest.New(t)
	k := cup()
	f.Answer("inventory", k.ServeHTTP)
	b := f.As("olga")
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
	f.Answer("inventory", func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			k.ServeHTTP(w, r)
			return
		}
		apptest.Refuses(422, `{"detail":"name: is empty","errors":[{"field":"name","message":"must have 1 to 120 characters"},{"field":"price.amount","message":"must be 1 to 9, in the minor unit"}]}`)(w, r)
	})
	submits(b, 422, cupPage, cupForm("name", " "), "must have 1 to 120 characters", "is too low or too high", `value=" "`)
	f.Answer("inventory", func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			k.ServeHTTP(w, r)
			return
		}
		apptest.Says(503, `{}`)(w, r)
	})
	submits(b, 503, cupPage, cupForm("name", "Goblet"), "does not answer at the moment", `value="Goblet"`)
}

func TestProductsAreForOperators(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	k := cup()
	f.Answer("inventory", k.ServeHTTP)
	for _, path := range []string{cupPage, "/operations/products/new"} {
		f.As("alice").Loads(403, path, "This is not for you")
		submits(f.As("alice"), 403, path, cupForm("sku", "CUP"))
		submits(f.As("carl"), 403, path, cupForm("sku", "CUP"))
	}
	f.As("olga").Loads(404, "/operations/products/NO-SUCH", "There is nothing here")
	f.As("olga").Loads(404, "/operations/products/no-such", "There is nothing here")
	submits(f.As("olga"), 404, "/operations/products/NO-SUCH", cupForm())
	if len(k.put) > 0 {
		t.Errorf("sent %v", k.put)
	}
}

func TestARetiredProductInACartIsNoLongerForSale(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	f.Answer("inventory", apptest.Says(200, `{"items":[
		{"sku":"PEN","name":"Pen","price":{"amount":5,"currency":"EUR"},"available":9,"retired":true},
		{"sku":"MUG","name":"Mug","price":{"amount":700,"currency":"EUR"},"available":9}]}`))
	b := f.As("alice")
	b.Posts("/cart", "/#PEN", "sku", "PEN", "quantity", "1")
	b.Posts("/cart", "/#MUG", "sku", "MUG", "quantity", "1")
	if page := b.Loads(200, "/cart", "No longer for sale: please remove it.", "€7.00"); strings.Contains(page, "€7.05") || strings.Contains(page, "€0.05") {
		t.Errorf("it costs something: %s", page)
	}
	b.Loads(200, "/checkout", "Something is no longer for sale", "Pen")
	f.Answer("orders", apptest.Refuses(422, `{"detail":"x","errors":[{"field":"lines[0].sku","message":"is not sold any more"}]}`))
	page := b.Loads(200, "/checkout")
	submits(b, 422, "/checkout", apptest.Filled(page, "PEN:1/MUG:1"), "Pen: is not sold any more.")
	f.Answer("inventory", apptest.Says(200, `{"items":[{"sku":"PEN","name":"Pen","retired":true},{"sku":"MUG","name":"Mug"}]}`))
	if page := f.As("olga").Loads(200, "/operations/stock", `<a href="/operations/products/PEN">Pen</a> <span class="badge cancelled">Retired</span>`, `href="/operations/products/new"`); strings.Count(page, "Retired") != 1 {
		t.Errorf("stock: %s", page)
	}
}
