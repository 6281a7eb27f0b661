package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

// fakeShop is a gateway that answers orders as a test tells it.
type fakeShop struct {
	url string

	mu        sync.Mutex
	answer    func(n int, key string) int // status of the n-th order
	keys      map[string]int              // how often each key came
	wishes    []placedOrder
	cancelled int
	tokens    int
}

type placedOrder struct {
	Lines []struct {
		SKU      string
		Quantity int
	}
	PaymentMethod string  `json:"payment_method"`
	Address       address `json:"shipping_address"`
}

func openShop(t *testing.T) *fakeShop {
	t.Helper()
	f := &fakeShop{keys: map[string]int{}, answer: func(int, string) int { return http.StatusAccepted }}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /oauth/token", func(w http.ResponseWriter, r *http.Request) {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.tokens++; r.FormValue("client_secret") != "word" || r.FormValue("grant_type") != "client_credentials" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = io.WriteString(w, `{"access_token":"t","expires_in":3600}`)
	})
	mux.HandleFunc("GET /api/products", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, `{"items":[{"sku":"GONE","available":0},{"sku":"THERE","available":3}]}`)
	})
	mux.HandleFunc("POST /api/orders", func(w http.ResponseWriter, r *http.Request) {
		var o placedOrder
		_ = json.NewDecoder(r.Body).Decode(&o)
		f.mu.Lock()
		defer f.mu.Unlock()
		if r.Header.Get("Authorization") != "Bearer t" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		key := r.Header.Get("Idempotency-Key")
		f.keys[key]++
		f.wishes = append(f.wishes, o)
		w.WriteHeader(f.answer(len(f.wishes), key))
		_, _ = fmt.Fprintf(w, `{"id":%q}`, key)
	})
	mux.HandleFunc("POST /api/orders/{id}/cancellation", func(http.ResponseWriter, *http.Request) {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.cancelled++
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	f.url = server.URL
	return f
}

// withCustomers is a simulator whose customers know a shop.
func withCustomers(t *testing.T, f *fakeShop) *sim {
	t.Helper()
	s := start(t, now, config{GatewayURL: f.url + "/", DemoSecret: "word"})
	t.Cleanup(s.world.customers.leave)
	return s
}

func (s *sim) invite(body string) state {
	s.t.Helper()
	got := s.do("PUT", "/customers", "", body)
	s.want(got, 200, "")
	return read[state](s.t, got)
}

// over waits until no customer is to come and none waits for an answer.
func (s *sim) over() state {
	s.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		c := read[state](s.t, s.get("/customers"))
		if !c.Coming && c.Placed == c.Accepted+c.Refused+c.GaveUp {
			return c
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("it is not over: %+v", c)
		}
	}
}

func TestCustomersOrderAsManyAsWasSaidAndThenStop(t *testing.T) {
	t.Parallel()
	f := openShop(t)
	s := withCustomers(t, f)
	if c := read[state](t, s.get("/customers")); !c.Open || c.Coming || c.Placed != 0 {
		t.Errorf("before anybody came: %+v", c)
	}
	if c := s.invite(`{"rate":20,"orders":5}`); !c.Coming || c.Rate != 20 || time.Until(c.Until) > time.Minute || time.Until(c.Until) < 50*time.Second {
		t.Errorf("%+v", c)
	}
	if c := s.over(); c.Placed != 5 || c.Accepted != 5 {
		t.Errorf("%+v", c)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.wishes) != 5 || len(f.keys) != 5 || f.tokens != 1 {
		t.Errorf("%d orders with the keys %v and %d tokens", len(f.wishes), f.keys, f.tokens)
	}
	for _, w := range f.wishes {
		if w.Lines[0].SKU != "THERE" || w.Lines[0].Quantity != 1 || w.PaymentMethod != "tok_visa" || w.Address.PostalCode != "10115" {
			t.Errorf("%+v", w)
		}
	}
}

func TestCustomersStopWhenTheTimeIsOverOrWhenTheyAreToldTo(t *testing.T) {
	t.Parallel()
	f := openShop(t)
	s := withCustomers(t, f)
	s.invite(`{"rate":20,"for":"300ms"}`)
	if c := s.over(); c.Placed < 1 || c.Placed > 6 {
		t.Errorf("in 300 ms: %+v", c)
	}
	s.invite(`{"rate":20,"for":"10m"}`)
	for read[state](t, s.get("/customers")).Placed == 0 {
		time.Sleep(time.Millisecond)
	}
	if c := s.invite(`{"rate":0}`); c.Coming || c.Placed != 0 || !c.Until.IsZero() {
		t.Errorf("told to stop: %+v", c)
	}
	f.mu.Lock()
	before := len(f.wishes)
	f.mu.Unlock()
	time.Sleep(300 * time.Millisecond) // by then six would have come
	f.mu.Lock()
	defer f.mu.Unlock()
	if n := len(f.wishes) - before; n > 1 { // one may have been under way
		t.Errorf("%d customers came all the same", n)
	}
}

// A customer sends the same order again, with the same key, and gives up after three tries.
func TestCustomersTryAgainWithTheSameKeyAndTakeARefusal(t *testing.T) {
	t.Parallel()
	f := openShop(t)
	f.answer = func(n int, _ string) int {
		switch n {
		case 1:
			return http.StatusServiceUnavailable // then it is accepted
		case 2:
			return http.StatusAccepted
		default:
			return http.StatusUnprocessableEntity
		}
	}
	s := withCustomers(t, f)
	s.invite(`{"rate":20,"orders":1}`)
	if c := s.over(); c.Accepted != 1 {
		t.Errorf("%+v", c)
	}
	s.invite(`{"rate":20,"orders":1}`)
	if c := s.over(); c.Refused != 1 {
		t.Errorf("%+v", c)
	}
	f.mu.Lock()
	f.answer = func(int, string) int { return http.StatusBadGateway }
	f.mu.Unlock()
	s.invite(`{"rate":20,"orders":1}`)
	if c := s.over(); c.GaveUp != 1 {
		t.Errorf("%+v", c)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	var times []int
	for _, n := range f.keys {
		times = append(times, n)
	}
	if len(f.keys) != 3 || len(f.wishes) != 2+1+orderTries {
		t.Errorf("%d orders, and the keys came %v times", len(f.wishes), times)
	}
}

func TestTheMixSaysWithWhichCardsAndAddressesCustomersOrder(t *testing.T) {
	t.Parallel()
	seen := map[wish]int{}
	m := mix{Declined: .2, Flaky: .1, Timeout: .1, Undeliverable: .2, Regret: .1}
	for range 10_000 {
		seen[m.draw()]++
	}
	for w, share := range map[wish]float64{
		{card: "tok_visa", postalCode: "10115"}:               .3,
		{card: "tok_declined", postalCode: "10115"}:           .2,
		{card: "tok_flaky", postalCode: "10115"}:              .1,
		{card: "tok_timeout", postalCode: "10115"}:            .1,
		{card: "tok_visa", postalCode: "00000"}:               .2,
		{card: "tok_visa", postalCode: "10115", regret: true}: .1,
	} {
		if got := float64(seen[w]) / 10_000; got < share-.03 || got > share+.03 {
			t.Errorf("%+v are %.2f of all, want %.2f", w, got, share)
		}
	}
	f := openShop(t)
	s := withCustomers(t, f)
	s.invite(`{"rate":20,"orders":1,"sku":"KETTLE","mix":{"regret":1}}`)
	s.over()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		f.mu.Lock()
		cancelled, sku := f.cancelled, f.wishes[0].Lines[0].SKU
		f.mu.Unlock()
		if sku != "KETTLE" {
			t.Fatalf("ordered %s", sku)
		}
		if cancelled == 1 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("nobody has cancelled")
		}
	}
}

func TestWhatIsNoRushIsRefusedAndChangesNothing(t *testing.T) {
	t.Parallel()
	s := withCustomers(t, openShop(t))
	for _, body := range []string{
		``, `{"rate":21}`, `{"rate":-1}`, `{"rate":"fast"}`, `{"rate":1,"for":"11m"}`, `{"rate":1,"for":"0s"}`, `{"rate":1,"for":"-1s"}`,
		`{"rate":1,"orders":-1}`, `{"rate":1,"orders":10001}`, `{"rate":1,"mix":{"declined":0.6,"flaky":0.5}}`, `{"rate":1,"mix":{"good":1}}`, `{}{}`,
	} {
		s.want(s.do("PUT", "/customers", "", body), 422, "invalid")
	}
	if c := read[state](t, s.get("/customers")); c.Coming || c.Rate != 0 {
		t.Errorf("%+v", c)
	}
	none := start(t, now, config{GatewayURL: "http://127.0.0.1:1"})
	none.want(none.do("PUT", "/customers", "", `{"rate":1}`), 409, "no_shop")
	none.want(none.do("PUT", "/customers", "", `{"rate":0}`), 200, "")
}

// A shop that does not answer keeps a bounded number of customers waiting; the others leave at once.
func TestNotMoreThanSomeCustomersWaitForAnAnswer(t *testing.T) {
	t.Parallel()
	hold := make(chan struct{})
	f := openShop(t)
	s := withCustomers(t, f)
	s.world.customers.slots = make(chan struct{}, 2)
	f.answer = func(n int, _ string) int {
		f.mu.Unlock() // the next one gets here, too
		<-hold
		f.mu.Lock()
		return http.StatusAccepted
	}
	s.invite(`{"rate":20,"orders":6}`)
	for c := (state{}); c.Coming || c.Placed < 6; c = read[state](t, s.get("/customers")) {
		time.Sleep(time.Millisecond)
	}
	if c := read[state](t, s.get("/customers")); c.GaveUp != 4 {
		t.Errorf("%+v", c)
	}
	close(hold)
	if c := s.over(); c.Accepted != 2 {
		t.Errorf("%+v", c)
	}
}

// The list of products and the token are asked for by one customer for all. While the shop is closed, they do not queue up.
func TestCustomersBeforeAClosedShopGiveUpTogether(t *testing.T) {
	t.Parallel()
	s := start(t, now, config{GatewayURL: "http://127.0.0.1:1", DemoSecret: "word"})
	t.Cleanup(s.world.customers.leave)
	s.invite(`{"rate":20,"orders":5}`)
	if c := s.over(); c.GaveUp != 5 {
		t.Errorf("%+v", c)
	}
}
