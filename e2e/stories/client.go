// Package stories has the tests of Orderflow that must pass wherever it runs: as processes, in containers, on Kubernetes. It
// knows a system only by its addresses, and uses it as a client does.
package stories

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"example.com/orderflow/local/direct"
)

// World has the addresses of a system.
type World struct {
	Gateway   string // base address of the public port
	Simulator string // base address of the simulator, whose books are compared with the orders
	Secret    string // of the demo clients; empty: demo
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

	mu     sync.Mutex
	tokens map[string]token // by name of the demo client
}

type token struct {
	text string
	good time.Time // long before the token expires
}

// New makes a client for a test or a benchmark.
func New(t testing.TB, w World) *Client {
	return &Client{TB: t, World: w, tokens: map[string]token{}}
}

// Answer is a response.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Into reads an answer's JSON.
func (a Answer) Into(t testing.TB, v any) {
	t.Helper()
	if err := json.Unmarshal(a.Body, v); err != nil {
		t.Fatalf("%d %s: %v", a.Status, a.Body, err)
	}
}

// Call sends a request as a demo client ("": without a token) and returns the answer, whatever its status. Headers are names and
// values alternately.
func (c *Client) Call(who, method, path, body string, headers ...string) (Answer, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, c.Gateway+path, strings.NewReader(body))
	if err != nil {
		return Answer{}, err
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if who != "" {
		token, err := c.Login(who)
		if err != nil {
			return Answer{}, err
		}
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return Send(r)
}

// Send sends a request and reads the whole answer.
func Send(r *http.Request) (Answer, error) {
	response, err := direct.Client.Do(r)
	if err != nil {
		return Answer{}, err
	}
	defer response.Body.Close() //nolint:errcheck // read to its end
	body, err := io.ReadAll(response.Body)
	return Answer{response.StatusCode, response.Header, body}, err
}

// Login returns the token of a demo client. It requests a new one the first time, and after half of its life.
func (c *Client) Login(who string) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if t := c.tokens[who]; time.Now().Before(t.good) {
		return t.text, nil
	}
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {who}, "client_secret": {cmp.Or(c.Secret, "demo")}}
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, c.Gateway+"/oauth/token", strings.NewReader(form.Encode()))
	if err != nil {
		return "", err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	a, err := Send(r)
	if err != nil {
		return "", err
	}
	var grant struct {
		AccessToken string `json:"access_token"`
		ExpiresIn   int    `json:"expires_in"`
	}
	if err := json.Unmarshal(a.Body, &grant); err != nil || a.Status != http.StatusOK {
		return "", fmt.Errorf("token of %s: %d %s", who, a.Status, a.Body)
	}
	c.tokens[who] = token{grant.AccessToken, time.Now().Add(time.Duration(grant.ExpiresIn) * time.Second / 2)}
	return grant.AccessToken, nil
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
