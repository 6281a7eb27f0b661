package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"example.com/orderflow/local/direct"
	"example.com/orderflow/pkg/identity"
	"example.com/orderflow/pkg/messages"
	"example.com/orderflow/pkg/web"
)

// call makes a request with a token; an empty token means none.
func (f *fixture) call(method, path, token string) (*http.Response, []byte) {
	f.Helper()
	return f.send(method, path, token, "")
}

func (f *fixture) post(path, token, request string) (*http.Response, []byte) {
	f.Helper()
	return f.send(http.MethodPost, path, token, request)
}

func (f *fixture) send(method, path, token, request string) (*http.Response, []byte) {
	f.Helper()
	r, err := http.NewRequestWithContext(context.Background(), method, f.server.URL+path, strings.NewReader(request))
	if err != nil {
		f.Fatal(err)
	}
	if request != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := direct.Client.Do(r)
	if err != nil {
		f.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		f.Fatal(err)
	}
	return response, body
}

func (f *fixture) token(ttl time.Duration, scopes ...string) string {
	f.Helper()
	token, err := f.issuer.Token("olga", scopes, ttl)
	if err != nil {
		f.Fatal(err)
	}
	return token
}

func TestAnOperatorSeesAShipment(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	id := uuid.NewString()
	f.receive(arrangement(id))
	f.work(0)
	response, body := f.call("GET", "/api/shipments/"+id, f.token(time.Hour, identity.ScopeOperations))
	var got shipmentBody
	if err := json.Unmarshal(body, &got); err != nil || response.StatusCode != 200 || response.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("%s %s, %v", response.Status, body, err)
	}
	if got.NextAttemptAt == nil || got.NextAttemptAt.Location() != time.UTC {
		t.Errorf("next attempt at %v", got.NextAttemptAt)
	}
	if len(got.Calls) != 1 || got.Calls[0].What != "POST /shipments" || got.Calls[0].Outcome != "201" {
		t.Errorf("the carrier was called like this: %+v", got.Calls)
	}
	got.NextAttemptAt, got.Calls = nil, nil
	m := arrangement(id)
	want := shipmentBody{
		OrderID: id, Status: arranged, ShippingAddress: m.Address, Lines: m.Lines, Carrier: "Swift", TrackingNumber: "S/" + id,
		EstimatedDelivery: new(day.Add(time.Hour)), Stages: []stage{{arranged, day}}, CreatedAt: day, UpdatedAt: day,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}

	tombstone := uuid.NewString()
	f.receive(messages.CancelShipment{OrderID: tombstone})
	_, body = f.call("GET", "/api/shipments/"+tombstone, f.token(time.Hour, identity.ScopeOperations))
	wantBody := `{"order_id":"` + tombstone + `","status":"cancelled","shipping_address":{"name":"","street":"","city":"","postal_code":"","country":""},"lines":[],` +
		`"stages":[{"stage":"cancelled","at":"2026-01-02T03:04:05Z"}],"cancel_wanted":false,"attempts":0,"calls":[],` +
		`"created_at":"2026-01-02T03:04:05Z","updated_at":"2026-01-02T03:04:05Z"}` + "\n"
	if string(body) != wantBody {
		t.Errorf("%swant %s", body, wantBody)
	}
}

func TestWhoMaySeeAShipment(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	id := uuid.NewString()
	f.receive(arrangement(id))
	operator := f.token(time.Hour, identity.ScopeOperations)
	for _, c := range []struct {
		method, path, token string
		status              int
	}{
		{"GET", "/api/shipments/" + id, operator, 200},
		{"GET", "/api/shipments/" + uuid.NewString(), operator, 404},
		{"GET", "/api/shipments/nonsense", operator, 404},
		{"GET", "/api/shipments", operator, 404},
		{"DELETE", "/api/shipments/" + id, operator, 405},
		{"GET", "/api/shipments/" + id, "", 401},
		{"GET", "/api/shipments/" + id, "nonsense", 401},
		{"GET", "/api/shipments/" + id, f.token(-time.Hour, identity.ScopeOperations), 401},
		{"GET", "/api/shipments/" + id, f.token(time.Hour, identity.ScopeOrders), 403},
	} {
		response, body := f.call(c.method, c.path, c.token)
		if response.StatusCode != c.status {
			t.Errorf("%s %s: %s %s, want %d", c.method, c.path, response.Status, body, c.status)
		}
		if c.status >= 400 && response.Header.Get("Content-Type") != web.ProblemType {
			t.Errorf("%s %s: %s", c.method, c.path, response.Header.Get("Content-Type"))
		}
	}
	f.db.Close()
	if response, body := f.call("GET", "/api/shipments/"+id, operator); response.StatusCode < 500 || response.Header.Get("Content-Type") != web.ProblemType {
		t.Errorf("without a database: %s %s", response.Status, body)
	}
}
