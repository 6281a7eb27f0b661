package e2e

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"example.com/orderflow/e2e/contract"
	"example.com/orderflow/e2e/stories"
)

// A caller who misspells a parameter or a field must be told: otherwise the answer is to another question.
func TestEveryRouteRefusesWhatItDoesNotKnow(t *testing.T) {
	t.Parallel()
	c := stories.New(t, world(together(t)))
	sku := c.Product(5, 0, 0)
	order := c.Place(stories.Wish{SKU: sku})
	document, err := contract.Shared()
	if err != nil {
		t.Fatal(err)
	}
	fill := strings.NewReplacer("{sku}", sku, "{order_id}", order, "{tracking_number}", "SP1", "{action}", "stop")
	for _, o := range document.Operations() {
		if !strings.HasPrefix(o.Path, "/api/") {
			continue
		}
		path := fill.Replace(o.Path)
		switch {
		case strings.Contains(path, "/dead-letters/{id}"):
			path = strings.Replace(path, "{id}", "orders.1", 1)
		case strings.Contains(path, "/scenes/{name}"):
			path = strings.Replace(path, "{name}", "bank-silent", 1)
		default:
			path = strings.NewReplacer("{id}", order, "{name}", "payments").Replace(path)
		}
		who := "olga" // she may do all except what the courier does
		if strings.HasPrefix(path, "/api/parcels") {
			who = "carl"
		}
		refused := func(what, path, body string, status int, names string) {
			a, err := c.Call(who, o.Method, path, body, "Idempotency-Key", "strict")
			if err != nil {
				t.Fatal(err)
			}
			var p problem
			if err := json.Unmarshal(a.Body, &p); err != nil || a.Status != status || !strings.Contains(string(a.Body), names) {
				t.Errorf("%s %s with %s: %d %s", o.Method, path, what, a.Status, a.Body)
			}
		}
		body := ""
		if o.Method != http.MethodGet {
			body = `{"surprise":1}`
			names := "surprise"
			if strings.HasPrefix(path, "/api/laboratory/") {
				names = "" // the world outside refuses it in words of its own
			}
			refused("a field that is not known", path, body, http.StatusUnprocessableEntity, names)
		}
		refused("a parameter that is not known", path+"?surprise=1", body, http.StatusBadRequest, "surprise")
	}
}

func TestAnAnswerThatIsGivenAgainSaysSo(t *testing.T) {
	t.Parallel()
	c := stories.New(t, world(together(t)))
	sku := c.Product(5, 0, 0)
	for _, r := range []struct{ who, path, body string }{
		{"alice", "/api/orders", stories.Wish{SKU: sku}.JSON()},
		{"olga", "/api/products/" + sku + "/stock", `{"add":1}`},
	} {
		for _, want := range []string{"", "true"} {
			a, err := c.Call(r.who, http.MethodPost, r.path, r.body, "Idempotency-Key", "again-"+sku)
			if err != nil {
				t.Fatal(err)
			}
			if got := a.Header.Get("Idempotency-Replayed"); got != want || a.Status >= http.StatusBadRequest {
				t.Errorf("%s: %d, Idempotency-Replayed %q, want %q", r.path, a.Status, got, want)
			}
		}
	}
}
