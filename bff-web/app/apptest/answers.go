package apptest

import (
	"encoding/json"
	"io"
	"net/http"
	"time"
)

// Refuses returns a handler that answers with a problem.
func Refuses(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// OnTheWay is a page of parcels, as the carrier answers.
const OnTheWay = `{"holding":true,"until":"2026-11-29T12:10:00Z","before":7,"items":[
	{"id":"sh_1","key":"o-1","reference":"o-1","lines":[{"sku":"PEN","quantity":1}],"tracking_number":"SPONE","status":"arranged",
	 "address":{"name":"Alice <b>","street":"1 Main St","city":"Berlin","postal_code":"10115","country":"DE"},
	 "stages":[{"stage":"arranged","at":"2026-11-29T12:00:00Z"}],"next":["dispatched","failed"]},
	{"id":"sh_2","key":"o-2","reference":"o-2","tracking_number":"SPTWO","status":"in_transit","address":{"name":"Bob"},
	 "stages":[{"stage":"arranged","at":"2026-11-29T11:00:00Z"}],"next":["delivered","failed"]}]}`

// CarrierSays makes the simulator answer, and returns its latest request with the body.
func (f *Fixture) CarrierSays(status int, body string) func() (*http.Request, string) {
	var sent string
	answer := Says(status, body)
	f.Answer("simulator", func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		f.mu.Lock()
		sent = string(text)
		f.mu.Unlock()
		answer(w, r)
	})
	return func() (*http.Request, string) {
		r := f.Asked("simulator")
		f.mu.Lock()
		defer f.mu.Unlock()
		return r, sent
	}
}

// Metrics are those of a replica of orders.
const Metrics = `# HELP orders_under_way Orders that are not final, by status.
orders_under_way{status="paid"} 3
orders_under_way{status="gift_wrapping"} 2
orders_need_attention 0
outbox_due 2
outbox_oldest_seconds 61.5
outbox_refused 1
bus_queue_age_seconds{otel_scope_name="orderflow/bus",queue="orders.commands"} 75.4
bus_queue_age_seconds{queue="orders.events"} 0
client_breaker_open{upstream="orders",replica="http://a"} 1
client_breaker_open{upstream="shipping",replica="http://b"} 0
odd
`

// OneOrder is an order, as orders answers.
const OneOrder = `{"id":"0190-abcdef12","customer_id":"alice","status":"paid","lines":[{"sku":"MUG-BLUE","name":"Blue mug","quantity":2,"unit_price":{"amount":1299,"currency":"EUR"}}],
	"total":{"amount":2598,"currency":"EUR"},"shipping_address":{"name":"<Alice>","street":"1 Main St","city":"Berlin","postal_code":"10115","country":"DE"},
	"created_at":"2026-01-01T10:00:00Z","links":{"cancellation":"/api/orders/x/cancellation"}}`

// Has answers requests whose paths begin with one of the keys.
func Has(answers map[string]http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if answer := answers[r.URL.Path]; answer != nil {
			answer(w, r)
			return
		}
		w.WriteHeader(http.StatusNotFound)
	}
}

// Shelves are the products of a small shop, as inventory answers.
const Shelves = `{"items":[
	{"sku":"MUG-BLUE","name":"Blue mug","description":"Holds <b>0.3 l</b> & more","image":"/api/products/MUG-BLUE/image","price":{"amount":129950,"currency":"EUR"},"available":40,"reorder_point":5,"reorder_quantity":10,"new":1},
	{"sku":"PEN","name":"Pen","description":"","image":"javascript:alert(1)","price":{"amount":5,"currency":"EUR"},"available":2},
	{"sku":"INK","name":"Ink","description":"","image":"","price":{"amount":500,"currency":"JPY"},"available":0,"reorder_quantity":10},
	{"sku":"NIB","name":"Nib","description":"","image":"","price":{"amount":500,"currency":"EUR"},"available":0}]}`

// GatewayKnows makes the gateway issue tokens for a client that sends the secret.
func (f *Fixture) GatewayKnows(who string, scopes ...string) {
	f.Answer("gateway", func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		if r.URL.Path != "/oauth/token" || r.Form.Get("client_id") != who || r.Form.Get("client_secret") != "demo" || r.Form.Get("grant_type") != "client_credentials" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		token, err := f.Issuer.Token(who, scopes, time.Hour)
		if err != nil {
			f.Error(err)
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"access_token": token})
	})
}
