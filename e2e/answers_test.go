package e2e

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"example.com/orderflow/e2e/contract"
	"example.com/orderflow/e2e/stories"
	"example.com/orderflow/local/laboratory"
	"example.com/orderflow/local/shop"
	"example.com/orderflow/local/system"
)

// Every operation of api/openapi.yaml gives each of its answers, at least once in the run. What other tests do not cause is caused here,
// on a system with short timeouts and a supervisor. TestMain compares all that was seen with the document.
func TestEveryOperationGivesEachOfItsAnswers(t *testing.T) {
	t.Parallel()
	desk, err := laboratory.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	env := map[string][]string{
		"bff-web": desk.Env(), "simulator": settings["simulator"],
		"orders": {"STEP_TIMEOUT=1s", "BACKORDER_TIMEOUT=1s", "LONGEST_TIMEOUT=2s", "TIMEOUT_TRIES=15"},
	}
	s := start(t, system.Each(1), env)
	t.Cleanup(desk.Close) // before the system stops
	desk.Serve(s)
	a := answers{stories.New(t, world(s)), s}

	// The supplier is down until the end, so that this order waits for too long.
	a.faults(`{"supplier":{"down":true}}`)
	expired := a.Place(stories.Wish{SKU: a.Product(1, 5, 10), Quantity: 3, Backorder: true})

	a.tokens()
	a.catalogue()
	a.customer()
	a.courier()
	a.stuck()
	a.deadLetters()
	a.laboratory()
	a.refusals(a.Place(stories.Wish{SKU: a.Product(1, 0, 0)}))
	a.follow(expired, "has taken too long", func(t shop.Tracking) bool { return t.Status == "cancelled" && t.Reason == "expired" })
}

// answers asks for answers. Each of its stories leaves the system as it found it.
type answers struct {
	*stories.Client
	system *system.System
}

// get reads something as somebody.
func (a answers) get(who, path string, into any, headers ...string) stories.Answer {
	a.Helper()
	answer := a.Must(http.StatusOK, who, http.MethodGet, path, "", headers...)
	if into != nil {
		answer.Into(a, into)
	}
	return answer
}

// post sends something as somebody and wants an answer with this status.
func (a answers) post(status int, who, path, body string, headers ...string) stories.Answer {
	a.Helper()
	return a.Must(status, who, http.MethodPost, path, body, headers...)
}

// follow waits until a condition holds for an order.
func (a answers) follow(id, what string, holds func(shop.Tracking) bool) {
	a.Helper()
	stories.Until(a, "order "+id+" "+what, func() bool {
		t, found := a.Look(id)
		return found && holds(t)
	})
}

// until waits until a field of an answer has a value.
func (a answers) until(who, path, field string, want any) {
	a.Helper()
	got := map[string]any{}
	stories.Until(a, fmt.Sprintf("%s of %s is %v", field, path, want), func() bool {
		answer, err := a.Call(who, http.MethodGet, path, "")
		if err != nil || answer.Status != http.StatusOK {
			return false
		}
		answer.Into(a, &got)
		return got[field] == want
	})
}

func (a answers) faults(body string) {
	a.Helper()
	a.Must(http.StatusOK, "olga", http.MethodPut, "/api/laboratory/faults", body)
}

func (a answers) tokens() {
	a.Helper()
	ask := func(status int, form string, headers ...string) {
		a.Helper()
		a.post(status, "", "/oauth/token", form, append([]string{"Content-Type", "application/x-www-form-urlencoded"}, headers...)...)
	}
	alice := "client_id=alice&client_secret=" + url.QueryEscape(demoSecret)
	ask(http.StatusOK, "grant_type=client_credentials&scope=orders&"+alice)
	ask(http.StatusBadRequest, alice)
	ask(http.StatusBadRequest, "grant_type=password&"+alice)
	ask(http.StatusBadRequest, "grant_type=client_credentials&scope=operations&"+alice)
	ask(http.StatusUnauthorized, "grant_type=client_credentials&client_id=alice&client_secret=guessed")
	a.get("", "/.well-known/jwks.json", nil)
}

// refusals asks each operation for what it refuses, whatever it does. The order belongs to alice and can be cancelled.
func (a answers) refusals(order string) {
	a.Helper()
	document, err := contract.Shared()
	if err != nil {
		a.Fatal(err)
	}
	fill := func(o contract.Operation, id, sku, letter, name string) string {
		path := strings.Replace(o.Path, "/dead-letters/{id}", "/dead-letters/"+letter, 1)
		return strings.NewReplacer("{id}", id, "{order_id}", id, "{sku}", sku, "{tracking_number}", name, "{name}", name, "{action}", "start").Replace(path)
	}
	callers := map[string]string{"orders": "alice", "operations": "olga", "parcels": "carl"}
	others := map[string]string{"orders": "carl", "operations": "alice", "parcels": "alice"}
	for _, o := range document.Operations() {
		if !strings.HasPrefix(o.Path, "/api/") {
			continue
		}
		ask := func(status int, who, path, body string, headers ...string) {
			if !slices.Contains(o.Statuses, status) {
				return
			}
			headers = append([]string{"Idempotency-Key", uuid.NewString()}, headers...)
			if answer, err := a.Call(who, o.Method, path, body, headers...); err != nil || answer.Status != status {
				a.Errorf("%s: %d %s %v, want %d", o.ID, answer.Status, answer.Body, err, status)
			}
		}
		who, here := callers[o.Scope], fill(o, order, "MUG-BLUE", "payments.1", "payments")
		ask(http.StatusBadRequest, who, here+"?unknown=1", o.Body)
		ask(http.StatusUnauthorized, "", here, o.Body, "Authorization", "Bearer guessed")
		ask(http.StatusForbidden, others[o.Scope], here, o.Body)
		ask(http.StatusPreconditionFailed, who, here, o.Body, "If-Match", `"another"`)
		ask(http.StatusUnsupportedMediaType, who, here, "text", "Content-Type", "text/plain")
		ask(http.StatusUnprocessableEntity, who, here, `{"unknown":1}`)
		if nowhere := fill(o, uuid.NewString(), "NO-SUCH", "payments."+uuid.NewString(), "NOBODY"); nowhere != here {
			ask(http.StatusNotFound, who, nowhere, o.Body)
		}
	}
	page := []string{"Accept", "text/html"}
	a.Must(http.StatusUnauthorized, "", http.MethodGet, "/api/orders", "", page...)
	a.Must(http.StatusForbidden, "alice", http.MethodGet, "/api/stock", "", page...)
	a.Must(http.StatusNotFound, "olga", http.MethodGet, "/api/operations/dead-letters/nobody.1", "", page...)
	a.Must(http.StatusRequestHeaderFieldsTooLarge, "", http.MethodGet, "/api/products", "", "X-Long", strings.Repeat("x", 40<<10))
	a.Must(http.StatusRequestEntityTooLarge, "alice", http.MethodPost, "/api/orders", strings.Repeat("x", 2<<20), page...)
	a.Must(http.StatusMethodNotAllowed, "alice", http.MethodDelete, "/api/orders", "")
	a.Must(http.StatusUnprocessableEntity, "olga", http.MethodPost, "/api/laboratory/poison", `{"for":"1s"}`)
}
