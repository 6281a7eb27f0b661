package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/orderflow/local/system"
	"github.com/google/uuid"
)

// patience is how long a condition may take to come true. It is long because these machines are slow and shared.
const patience = 90 * time.Second

func until(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("after %s still not: %s", patience, what)
		}
	}
}

// client is a caller of the public API.
type client struct {
	*testing.T
	base  string
	mu    *sync.Mutex
	token map[string]string // by name of the demo client
}

func newClient(t *testing.T, s *system.System) *client {
	return &client{t, s.GatewayURL, &sync.Mutex{}, map[string]string{}}
}

// answer is what came back.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (a answer) into(t *testing.T, v any) {
	t.Helper()
	if err := json.Unmarshal(a.body, v); err != nil {
		t.Fatalf("%d %s: %v", a.status, a.body, err)
	}
}

// call makes a request as a demo client ("" is nobody) and returns the answer, whatever it is.
func (c *client) call(who, method, path, body string, headers ...string) (answer, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, c.base+path, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if who != "" {
		token, err := c.login(who)
		if err != nil {
			return answer{}, err
		}
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return send(r)
}

func send(r *http.Request) (answer, error) {
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close() //nolint:errcheck // read to its end
	body, err := io.ReadAll(response.Body)
	return answer{response.StatusCode, response.Header, body}, err
}

func (c *client) login(who string) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if token, ok := c.token[who]; ok {
		return token, nil
	}
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {who}, "client_secret": {"demo"}}
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, c.base+"/oauth/token", strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	a, err := send(r)
	if err != nil {
		return "", err
	}
	var token struct {
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal(a.body, &token); err != nil || a.status != http.StatusOK {
		return "", fmt.Errorf("token of %s: %d %s", who, a.status, a.body)
	}
	c.token[who] = token.AccessToken
	return token.AccessToken, nil
}

// must is call for those who want an answer with this status.
func (c *client) must(status int, who, method, path, body string, headers ...string) answer {
	c.Helper()
	a, err := c.call(who, method, path, body, headers...)
	if err != nil {
		c.Fatal(err)
	}
	if a.status != status {
		c.Fatalf("%s %s: %d %s, want %d", method, path, a.status, a.body, status)
	}
	return a
}

// wish is what an order asks for. The zero value of each field but the SKU has a good meaning.
type wish struct {
	sku       string
	quantity  int
	card      string // tok_visa
	postal    string // 10115
	backorder bool
}

func (w wish) body() string {
	if w.quantity == 0 {
		w.quantity = 1
	}
	if w.card == "" {
		w.card = "tok_visa"
	}
	if w.postal == "" {
		w.postal = "10115"
	}
	return fmt.Sprintf(`{"lines":[{"sku":%q,"quantity":%d}],"payment_method":%q,"allow_backorder":%t,
		"shipping_address":{"name":"Alice","street":"1 Main St","city":"Berlin","postal_code":%q,"country":"DE"}}`,
		w.sku, w.quantity, w.card, w.backorder, w.postal)
}

// place places an order as alice and returns its id.
func (c *client) place(w wish) string {
	c.Helper()
	var o struct{ ID, Status string }
	c.must(http.StatusAccepted, "alice", http.MethodPost, "/api/orders", w.body(), "Idempotency-Key", uuid.NewString()).into(c.T, &o)
	if o.Status != "placed" {
		c.Errorf("a new order is %s", o.Status)
	}
	return o.ID
}

type tracking struct {
	Status, Reason string
	Timeline       []struct {
		Seq          int
		Status, What string
	}
	Payment *struct {
		Status string
		Amount struct{ Amount int64 }
	}
	Shipment *struct {
		Carrier, TrackingNumber string
		Stages                  []struct{ Stage string }
	}
}

// path is the statuses that an order has gone through.
func (t tracking) path() []string {
	var path []string
	for _, e := range t.Timeline {
		if len(path) == 0 || path[len(path)-1] != e.Status {
			path = append(path, e.Status)
		}
	}
	return path
}

func (c *client) track(id string) tracking {
	c.Helper()
	var t tracking
	c.must(http.StatusOK, "alice", http.MethodGet, "/api/orders/"+id+"/tracking", "").into(c.T, &t)
	return t
}

// end waits until an order is final.
func (c *client) end(id string) tracking {
	c.Helper()
	var t tracking
	until(c.T, "order "+id+" is final", func() bool {
		a, err := c.call("alice", http.MethodGet, "/api/orders/"+id+"/tracking", "")
		if err != nil || a.status != http.StatusOK {
			return false // somebody is being restarted
		}
		a.into(c.T, &t)
		return t.Status == "delivered" || t.Status == "cancelled"
	})
	return t
}

// reach waits until an order has a status, or has had it.
func (c *client) reach(id, status string) {
	c.Helper()
	until(c.T, "order "+id+" is "+status, func() bool { return slices.Contains(c.track(id).path(), status) })
}

// product makes a product of the test's own, so that nobody else takes of its stock.
func (c *client) product(stock, reorderPoint, reorderQuantity int) string {
	c.Helper()
	sku := "T-" + strings.ToUpper(uuid.NewString()[:8])
	c.must(http.StatusCreated, "olga", http.MethodPut, "/api/products/"+sku, fmt.Sprintf(
		`{"name":"Test product","description":"For a test.","price":{"amount":1000,"currency":"EUR"},"reorder_point":%d,"reorder_quantity":%d}`, reorderPoint, reorderQuantity))
	if stock > 0 {
		a, err := c.call("olga", http.MethodPost, "/api/products/"+sku+"/stock", fmt.Sprintf(`{"add":%d}`, stock), "Idempotency-Key", uuid.NewString())
		if err != nil || a.status/100 != 2 {
			c.Fatalf("add stock: %v %d %s", err, a.status, a.body)
		}
	}
	until(c.T, "orders knows "+sku, func() bool { // by an event; without the address it would not be accepted anyway
		a, err := c.call("alice", http.MethodPost, "/api/orders", strings.Replace(wish{sku: sku}.body(), `"DE"`, `"D"`, 1), "Idempotency-Key", "probe")
		return err == nil && a.status == http.StatusUnprocessableEntity && c.known(sku)
	})
	return sku
}

// known asks whether orders has heard of a product, with an order that the currency of a price can never make good.
func (c *client) known(sku string) bool {
	c.Helper()
	a, err := c.call("alice", http.MethodPost, "/api/orders", strings.Replace(wish{sku: sku}.body(), `"lines":[`, `"lines":[{"sku":"NO-SUCH","quantity":1},`, 1), "Idempotency-Key", uuid.NewString())
	return err == nil && a.status == http.StatusUnprocessableEntity && !strings.Contains(string(a.body), sku)
}

func (c *client) available(sku string) int {
	c.Helper()
	var p struct{ Available int }
	c.must(http.StatusOK, "", http.MethodGet, "/api/products/"+sku, "").into(c.T, &p)
	return p.Available
}

// ledgerEntry is a line of the simulated provider's own books.
type ledgerEntry struct {
	Kind, Key, Reference string
	ChargeKey            string `json:"charge_key"`
	Amount               int64
}

// ledger reads the provider's books, past all of Orderflow.
func ledger(t *testing.T, s *system.System) []ledgerEntry {
	t.Helper()
	var all []ledgerEntry
	for after := 0; ; {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprintf("%s/provider/ledger?after=%d", s.SimulatorURL, after), nil)
		if err != nil {
			t.Fatal(err)
		}
		a, err := send(r)
		if err != nil {
			t.Fatal(err)
		}
		var page struct {
			Items []struct {
				Seq int
				ledgerEntry
			}
		}
		a.into(t, &page)
		if len(page.Items) == 0 {
			return all
		}
		for _, it := range page.Items {
			all, after = append(all, it.ledgerEntry), it.Seq
		}
	}
}

// settle checks the provider's books against how orders ended: delivered is charged once, cancelled nets to nothing.
func settle(t *testing.T, s *system.System, ends map[string]tracking) {
	t.Helper()
	charges, net := map[string]int{}, map[string]int64{}
	for _, e := range ledger(t, s) {
		switch e.Kind {
		case "charge":
			charges[e.Key]++
			net[e.Key] += e.Amount
		case "refund":
			net[e.ChargeKey] -= e.Amount
		}
	}
	for id, end := range ends {
		switch {
		case charges[id] > 1:
			t.Errorf("order %s was charged %d times", id, charges[id])
		case end.Status == "delivered" && (charges[id] != 1 || net[id] <= 0):
			t.Errorf("order %s was delivered for %d", id, net[id])
		case end.Status == "cancelled" && net[id] != 0:
			t.Errorf("order %s was cancelled (%s) and cost %d", id, end.Reason, net[id])
		}
	}
}
