// Package stories has the tests of Orderflow that must pass wherever it runs: as processes, in containers, on Kubernetes. It
// knows a system only by its addresses, and uses it as a client does.
package stories

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"testing"
	"time"

	"example.com/orderflow/e2e/contract"
	"example.com/orderflow/local/direct"
	"example.com/orderflow/local/shop"
)

// World has the addresses of a system.
type World struct {
	Gateway   string // base address of the public port
	Simulator string // base address of the simulator, whose books are compared with the orders
	Secret    string // of the demo clients; empty: demo
	Older     bool   // programs of an earlier release answer, too, which the document of the API is not about
}

// timeout bounds the wait for a condition. It is long because the machines are slow and shared.
const timeout = 90 * time.Second

// Until waits for a condition, and fails the test if it does not become true.
func Until(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(timeout); !holds(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("after %s still not: %s", timeout, what)
		}
	}
}

// Client is a caller of the public API.
type Client struct {
	testing.TB
	World

	HTTP *http.Client // compares what it sends and gets with the document of the API

	mu      sync.Mutex
	callers map[string]*shop.Client // by name
}

// New makes a client for a test or a benchmark. All that it sends and gets is compared with the document of the API.
func New(t testing.TB, w World) *Client {
	t.Helper()
	Look(t)
	c := &Client{TB: t, World: w, HTTP: direct.Client, callers: map[string]*shop.Client{}}
	if !w.Older {
		document, err := contract.Shared()
		if err != nil {
			t.Fatal(err)
		}
		c.HTTP = &http.Client{Transport: document.Transport(t, direct.Transport)}
	}
	return c
}

// As returns the client of a demo identity; "": without a token. It repeats nothing, because a test should notice each refusal.
func (c *Client) As(who string) *shop.Client {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.callers[who] == nil {
		c.callers[who] = c.caller(who, shop.Once)
	}
	return c.callers[who]
}

func (c *Client) caller(who string, again shop.Again) *shop.Client {
	return &shop.Client{HTTP: c.HTTP, Gateway: c.Gateway, ID: who, Secret: cmp.Or(c.Secret, "demo"), Again: again}
}

// Answer is a response.
type Answer struct{ shop.Answer }

// Into reads an answer's JSON.
func (a Answer) Into(t testing.TB, v any) {
	t.Helper()
	if err := json.Unmarshal(a.Body, v); err != nil {
		t.Fatalf("%d %s: %v", a.Status, a.Body, err)
	}
}

// Call sends any request as a demo identity and returns the answer, whatever its status is. Headers are names and values
// alternately.
func (c *Client) Call(who, method, path, body string, headers ...string) (Answer, error) {
	a, err := c.As(who).Send(context.Background(), method, path, body, headers...)
	return Answer{a}, err
}

// Send sends a request to another program than the gateway.
func Send(ctx context.Context, method, url, body string, headers ...string) (Answer, error) {
	a, err := (&shop.Client{Gateway: url}).Send(ctx, method, "", body, headers...)
	return Answer{a}, err
}

// Must is Call for callers that need an answer with this status.
func (c *Client) Must(status int, who, method, path, body string, headers ...string) Answer {
	c.Helper()
	a, err := c.Call(who, method, path, body, headers...)
	if err != nil {
		c.Fatal(err)
	}
	if a.Status != status {
		c.Fatalf("%s %s: %d %s, want %d", method, path, a.Status, a.Body, status)
	}
	return a
}
