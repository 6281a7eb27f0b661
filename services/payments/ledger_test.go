package main

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"testing"

	"example.com/orderflow/pkg/messages"
)

// ledger is a provider in memory. bank is the same provider behind HTTP, with the faults of a real one.
type ledger struct {
	mu      sync.Mutex
	charges map[string]operation
	refunds map[string][]operation // by the key of the charge
	posted  map[string]int
}

func newLedger() *ledger {
	return &ledger{charges: map[string]operation{}, refunds: map[string][]operation{}, posted: map[string]int{}}
}

func (l *ledger) charge(_ context.Context, p payment) (operation, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	key := p.chargeKey()
	l.posted[key]++
	if _, done := l.charges[key]; !done {
		d := operation{ID: "charge-" + key, Key: key, Status: operationSucceeded, Amount: p.Amount.Amount}
		if p.Method == "tok_declined" {
			d = operation{Key: key, Status: operationDeclined, Code: "card_declined"}
		}
		l.charges[key] = d
	}
	return l.charges[key], nil
}

func (l *ledger) refund(_ context.Context, p payment, amount int64) (operation, error) {
	return l.giveBack(p.chargeKey(), p.refundKey(amount), amount)
}

// giveBack refunds. It also stands for a person at the provider, who uses a key of their own.
func (l *ledger) giveBack(charge, key string, amount int64) (operation, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.posted[key]++
	if i := slices.IndexFunc(l.refunds[charge], func(d operation) bool { return d.Key == key }); i >= 0 {
		return l.refunds[charge][i], nil
	}
	c := l.charges[charge]
	if c.Status != operationSucceeded {
		return operation{}, errors.New("there is no such charge")
	}
	if amount > c.left() {
		return operation{}, errTooMuch
	}
	d := operation{ID: "refund-" + key, Key: key, Status: operationSucceeded, Amount: amount}
	c.Refunded += amount
	l.charges[charge], l.refunds[charge] = c, append(l.refunds[charge], d)
	return d, nil
}

var errTooMuch = errors.New("so much is not left of the charge")

func (l *ledger) findCharge(_ context.Context, p payment) (operation, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	d := l.charges[p.chargeKey()]
	for _, r := range l.refunds[p.chargeKey()] {
		if p.asked(r.Key) {
			d.RefundID = r.ID
		}
	}
	return d, nil
}

// balance returns what an order has cost in the end.
func (l *ledger) balance(order string) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.charges[order].left()
}

// posts returns how often a key was used for a request.
func (l *ledger) posts(key string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.posted[key]
}

// bank serves a ledger over HTTP. The payment method selects a fault:
//
//	tok_flaky    503 twice for each key
//	tok_timeout  charges and withholds the answer, once for each key
//	tok_reset    charges and breaks the connection, once for each key
//	tok_held     waits until let go before it charges
type bank struct {
	*ledger
	*httptest.Server
	letGo  chan struct{}
	inHand chan string // keys of the charges that are held
	tried  map[string]int
}

func newBank(t *testing.T) *bank {
	b := &bank{ledger: newLedger(), letGo: make(chan struct{}), inHand: make(chan string, 100), tried: map[string]int{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /provider/charges", b.postCharge)
	mux.HandleFunc("POST /provider/refunds", b.postRefund)
	mux.HandleFunc("GET /provider/charges", func(w http.ResponseWriter, r *http.Request) {
		key := r.FormValue("key")
		found, _ := b.findCharge(r.Context(), payment{OrderID: key})
		b.mu.Lock()
		defer b.mu.Unlock()
		list(w, found, b.refunds[key])
	})
	b.Server = httptest.NewServer(mux)
	t.Cleanup(func() {
		b.CloseClientConnections() // end the requests whose answers are withheld
		b.Close()
	})
	return b
}

type bankBody struct {
	messages.Money
	Method    string `json:"method"`
	Reference string `json:"reference"`
	ChargeKey string `json:"charge_key"`
}

func (b *bank) postCharge(w http.ResponseWriter, r *http.Request) {
	var body bankBody
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	key := r.Header.Get("Idempotency-Key")
	n := b.try(key)
	switch {
	case body.Method == "tok_flaky" && n <= 2:
		http.Error(w, "not now", http.StatusServiceUnavailable)
		return
	case body.Method == "tok_held":
		b.inHand <- key
		<-b.letGo
	}
	d, _ := b.charge(r.Context(), payment{OrderID: key, Amount: body.Money, Method: body.Method})
	switch {
	case body.Method == "tok_timeout" && n == 1:
		<-r.Context().Done()
	case body.Method == "tok_reset" && n == 1:
		panic(http.ErrAbortHandler)
	case d.Status == operationDeclined:
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(http.StatusPaymentRequired)
		_ = json.NewEncoder(w).Encode(map[string]any{"title": "Payment Required", "status": 402, "code": d.Code})
	default:
		answer(w, d)
	}
}

func (b *bank) postRefund(w http.ResponseWriter, r *http.Request) {
	var body bankBody
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	d, err := b.giveBack(body.ChargeKey, r.Header.Get("Idempotency-Key"), body.Amount)
	if errors.Is(err, errTooMuch) {
		http.Error(w, err.Error(), http.StatusUnprocessableEntity)
		return
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	answer(w, d)
}

func (b *bank) try(key string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tried[key]++
	return b.tried[key]
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	_ = json.NewEncoder(w).Encode(v)
}

func list(w http.ResponseWriter, d operation, refunds []operation) {
	items := []any{}
	if d != (operation{}) {
		items = append(items, struct {
			operation
			Refunds []operation `json:"refunds"`
		}{d, refunds})
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"items": items})
}
