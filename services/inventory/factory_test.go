package main

import (
	"cmp"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

// factory is a supplier with its API. A test can make it misbehave.
type factory struct {
	*httptest.Server
	mu     sync.Mutex
	orders map[string]*made
	posts  int
	fault  func(w http.ResponseWriter, r *http.Request, act func()) // in place of the normal answer; act carries out the request
}

type made struct {
	ID        string    `json:"id"`
	Key       string    `json:"key"`
	SKU       string    `json:"sku"`
	Quantity  int       `json:"quantity"`
	Status    string    `json:"status"`
	ArrivesAt time.Time `json:"arrives_at"`
}

func newFactory(t *testing.T) *factory {
	f := &factory{orders: map[string]*made{}}
	f.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		fault := f.fault
		f.mu.Unlock()
		if fault != nil {
			fault(w, r, func() { f.serve(httptest.NewRecorder(), r) })
			return
		}
		f.serve(w, r)
	}))
	t.Cleanup(f.Close)
	return f
}

func (f *factory) serve(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.Method == http.MethodGet {
		items := []*made{}
		if o := f.orders[r.URL.Query().Get("key")]; o != nil {
			items = append(items, o)
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"items": items})
		return
	}
	f.posts++
	key := r.Header.Get("Idempotency-Key")
	o := cmp.Or(f.orders[key], &made{ID: "M-" + key, Key: key, Status: "ordered", ArrivesAt: time.Now().Add(time.Hour)})
	_ = json.NewDecoder(r.Body).Decode(o)
	f.orders[key] = o
	_ = json.NewEncoder(w).Encode(o)
}

// deliver lets all ordered units arrive.
func (f *factory) deliver() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, o := range f.orders {
		o.Status = "delivered"
	}
}

func (f *factory) misbehave(how func(w http.ResponseWriter, r *http.Request, act func())) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fault = how
}

// ordered returns how many units of a product were ordered in all, and by how many orders.
func (f *factory) ordered(sku string) (units, orders int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, o := range f.orders {
		if o.SKU == sku {
			units += o.Quantity
			orders++
		}
	}
	return units, orders
}
