// Package shop is a client of the public API, such as a partner of the shop would write. It renews its token, repeats what may be
// repeated, follows an order to its end, and returns a refusal as a Problem. The demo, the benchmark and the tests from outside
// use it.
package shop

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"example.com/orderflow/local/direct"
)

// attempt bounds one attempt of a call. The gateway gives up before.
const attempt = 30 * time.Second

// Client calls the API for one caller. It may be used by many goroutines at the same time.
type Client struct {
	Gateway string // base address of the shop
	ID      string // of the caller; empty: requests have no token
	Secret  string

	HTTP    *http.Client  // default direct.Client
	Timeout time.Duration // of one attempt; default 30 s
	Again   Again         // default Patiently

	mu    sync.Mutex
	token string
	renew time.Time // after half of the token's life
}

// Answer is a response of any status.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Send sends a request once, and returns the answer whatever its status is. Headers are names and values alternately, and
// replace the client's own.
func (c *Client) Send(ctx context.Context, method, path, body string, headers ...string) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(c.Timeout, attempt))
	defer cancel()
	response, err := c.open(ctx, method, path, body, headers)
	if err != nil {
		return Answer{}, err
	}
	defer response.Body.Close() //nolint:errcheck // it is read to its end
	text, err := io.ReadAll(response.Body)
	return Answer{response.StatusCode, response.Header, text}, err
}

func (c *Client) open(ctx context.Context, method, path, body string, headers []string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, c.Gateway+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if c.ID != "" {
		token, err := c.Token(ctx)
		if err != nil {
			return nil, err
		}
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	return cmp.Or(c.HTTP, direct.Client).Do(r)
}

// Call sends a request until it gets a final answer, and reads the answer's JSON into a value; nil: the answer is not needed. It
// returns a refusal as a *Problem. A POST without an Idempotency-Key is sent once only, because nobody knows what a lost answer
// has said.
func (c *Client) Call(ctx context.Context, method, path string, body, into any, headers ...string) error {
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			return fmt.Errorf("encode %s %s: %w", method, path, err)
		}
	}
	repeatable := method != http.MethodPost || slices.Contains(headers, "Idempotency-Key")
	for tries := 1; ; tries++ {
		answer, err := c.Send(ctx, method, path, string(text), headers...)
		if err == nil {
			err = answer.Err()
		}
		if err == nil {
			return answer.read(into)
		}
		wait, again := c.again(tries, err)
		if !repeatable || !again || pause(ctx, wait) != nil {
			return fmt.Errorf("%s %s: %w", method, path, err)
		}
	}
}

func (a Answer) read(into any) error {
	if into == nil {
		return nil
	}
	if err := json.Unmarshal(a.Body, into); err != nil {
		return fmt.Errorf("read %q: %w", a.Body, err)
	}
	return nil
}
