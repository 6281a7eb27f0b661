package main

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"example.com/orderflow/local/direct"
	"example.com/orderflow/pkg/identity"
	"example.com/orderflow/pkg/web"
)

func (f *fixture) get(method, path string, scopes ...string) (status int, header http.Header, body []byte) {
	f.Helper()
	return f.call(method, path, "", scopes...)
}

// call calls the API as olga with the given scopes; without scopes it sends no token.
func (f *fixture) call(method, path, request string, scopes ...string) (status int, header http.Header, body []byte) {
	f.Helper()
	r, err := http.NewRequestWithContext(f.Context(), method, f.server.URL+path, strings.NewReader(request))
	if err != nil {
		f.Fatal(err)
	}
	if request != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if len(scopes) > 0 {
		token, err := f.issuer.Token("olga", scopes, time.Hour)
		if err != nil {
			f.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := direct.Client.Do(r)
	if err != nil {
		f.Fatal(err)
	}
	defer response.Body.Close()
	if body, err = io.ReadAll(response.Body); err != nil {
		f.Fatal(err)
	}
	return response.StatusCode, response.Header, body
}

func TestAnOperatorSeesAPayment(t *testing.T) {
	t.Parallel()
	f := newFixture(t, newLedger())
	order := f.ordered("tok_visa")
	path := "/api/payments/" + order
	seen := func() (p map[string]any) {
		status, header, body := f.get(http.MethodGet, path, identity.ScopeOperations)
		if status != http.StatusOK || header.Get("Cache-Control") != "no-store" {
			t.Fatalf("%d %v %s", status, header, body)
		}
		if err := json.Unmarshal(body, &p); err != nil {
			t.Fatal(err)
		}
		return p
	}
	if p := seen(); p["status"] != "requested" || p["next_attempt_at"] == nil || p["order_id"] != order {
		t.Errorf("%v", p)
	}
	f.work()
	p := seen()
	money, _ := p["amount"].(map[string]any)
	if p["status"] != "taken" || p["next_attempt_at"] != nil || p["charge_id"] != "charge-"+order || money["amount"] != 2598.0 || money["currency"] != "EUR" ||
		!strings.HasSuffix(p["created_at"].(string), "Z") {
		t.Errorf("%v", p)
	}
}

func TestEveryRefusalIsAProblem(t *testing.T) {
	t.Parallel()
	f := newFixture(t, newLedger())
	order := f.ordered("tok_visa")
	refused := func(what string, want int, method, path string, scopes ...string) {
		t.Helper()
		status, header, body := f.get(method, path, scopes...)
		var p web.Problem
		if err := json.Unmarshal(body, &p); status != want || err != nil || p.Status != want || header.Get("Content-Type") != web.ProblemType || strings.Contains(string(body), "pool") {
			t.Errorf("%s: %d %s, want %d", what, status, body, want)
		}
	}
	refused("no token", 401, http.MethodGet, "/api/payments/"+order)
	refused("a customer", 403, http.MethodGet, "/api/payments/"+order, identity.ScopeOrders)
	refused("a customer who settles", 403, http.MethodPost, "/api/payments/"+order+"/settlement", identity.ScopeOrders)
	refused("no such order", 404, http.MethodGet, "/api/payments/"+uuid.NewString(), identity.ScopeOperations)
	refused("no order at all", 404, http.MethodGet, "/api/payments/1'--", identity.ScopeOperations)
	refused("another method", 405, http.MethodDelete, "/api/payments/"+order, identity.ScopeOperations)
	f.db.Close()
	refused("no database", 500, http.MethodGet, "/api/payments/"+order, identity.ScopeOperations)
}
