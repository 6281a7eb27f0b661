package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	random "math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

const (
	customer    = "bob" // orders for all of them, so that alice's list of orders stays short
	orderTries  = 3
	orderWithin = 10 * time.Second // one try
	answerMost  = 4 << 20
	listGood    = 5 * time.Second // how long customers remember what the shop has
	closedFor   = time.Second     // how long they remember that it did not let them in, so that they do not queue for each other's tries
)

// shop is Orderflow as its clients know it: the address of its gateway.
type shop struct {
	url, secret string
	client      *http.Client

	mu       sync.Mutex
	token    string
	renew    time.Time // when half of the token's life is over
	products []offer
	listed   time.Time
	closed   time.Time // when it last did not let somebody in
}

func newShop(gateway, secret string) *shop {
	return &shop{url: strings.TrimSuffix(gateway, "/"), secret: secret, client: &http.Client{
		Timeout: orderWithin, Transport: &http.Transport{MaxIdleConnsPerHost: atOnce, IdleConnTimeout: idleTimeout},
	}}
}

// offer is a product, as far as customers care.
type offer struct {
	SKU       string `json:"sku"`
	Available int    `json:"available"`
}

// wish is what a customer orders, and how.
type wish struct {
	sku, card, postalCode string
	regret                bool
}

// errNoAnswer is why a customer gives up.
var errNoAnswer = errors.New("the shop gives no answer")

// order places an order and returns its id; empty: the shop refuses it. A try that got no good answer is repeated with the same
// key, so that nothing is ordered twice.
func (s *shop) order(ctx context.Context, w wish) (id string, err error) {
	key := rand.Text()
	for try := range orderTries {
		if try > 0 {
			wait(ctx, time.Duration(try)*time.Second)
		}
		if w.sku == "" {
			if w.sku, err = s.choose(ctx); err != nil {
				continue
			}
		}
		body, err := json.Marshal(w.body())
		if err != nil {
			return "", err
		}
		status, text, err := s.call(ctx, http.MethodPost, "/api/orders", key, body)
		var placed struct {
			ID string `json:"id"`
		}
		switch {
		case err != nil, status >= 500, status == http.StatusTooManyRequests, status == http.StatusUnauthorized:
		case status == http.StatusAccepted:
			err = json.Unmarshal(text, &placed)
			return placed.ID, err
		default:
			return "", nil
		}
	}
	return "", errNoAnswer
}

func (w wish) body() any {
	return map[string]any{
		"lines":          []map[string]any{{"sku": w.sku, "quantity": 1}},
		"payment_method": w.card,
		"shipping_address": address{
			Name: "Bob", Street: "7 Harbour Road", City: "Berlin", PostalCode: w.postalCode, Country: "DE",
		},
	}
}

// cancel asks for the cancellation of an order.
func (s *shop) cancel(ctx context.Context, id string) error {
	_, _, err := s.call(ctx, http.MethodPost, "/api/orders/"+url.PathEscape(id)+"/cancellation", "", nil)
	return err
}

// choose returns a product that is there; if none is, any.
func (s *shop) choose(ctx context.Context) (sku string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.listed) > listGood {
		var page struct {
			Items []offer `json:"items"`
		}
		if err := s.enter(ctx, http.MethodGet, "/api/products", nil, &page); err != nil {
			return "", err
		}
		s.products, s.listed = page.Items, time.Now()
	}
	var there []offer
	for _, o := range s.products {
		if o.Available > 0 {
			there = append(there, o)
		}
	}
	if len(there) == 0 {
		there = s.products
	}
	if len(there) == 0 {
		return "", errors.New("the shop has no products")
	}
	return there[random.IntN(len(there))].SKU, nil
}

// call sends a request with a token.
func (s *shop) call(ctx context.Context, method, path, key string, body []byte) (status int, text []byte, err error) {
	token, err := s.signIn(ctx)
	if err != nil {
		return 0, nil, err
	}
	headers := map[string]string{"Authorization": "Bearer " + token}
	if key != "" {
		headers["Idempotency-Key"] = key
	}
	if status, text, err = s.send(ctx, method, path, "application/json", body, headers); status == http.StatusUnauthorized {
		s.mu.Lock()
		s.renew = time.Time{} // the shop has other keys than before
		s.mu.Unlock()
	}
	return status, text, err
}

// signIn returns a token by the grant of client credentials (RFC 6749, 4.4).
func (s *shop) signIn(ctx context.Context) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Now().Before(s.renew) {
		return s.token, nil
	}
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {customer}, "client_secret": {s.secret}}
	var granted struct {
		Token   string `json:"access_token"`
		Expires int    `json:"expires_in"` // seconds
	}
	if err := s.enter(ctx, http.MethodPost, "/oauth/token", []byte(form.Encode()), &granted); err != nil {
		return "", err
	}
	s.token, s.renew = granted.Token, time.Now().Add(time.Duration(granted.Expires)*time.Second/2)
	return s.token, nil
}

// enter sends a request without a token, which must succeed, while the lock is held.
func (s *shop) enter(ctx context.Context, method, path string, body []byte, out any) error {
	if time.Since(s.closed) < closedFor {
		return errNoAnswer
	}
	status, text, err := s.send(ctx, method, path, "application/x-www-form-urlencoded", body, nil)
	if err == nil && status != http.StatusOK {
		err = errNoAnswer
	}
	if err == nil {
		err = json.Unmarshal(text, out)
	}
	if err != nil {
		s.closed = time.Now()
		return fmt.Errorf("%s: status %d: %w", path, status, err)
	}
	return nil
}

func (s *shop) send(ctx context.Context, method, path, contentType string, body []byte, headers map[string]string) (int, []byte, error) {
	r, err := http.NewRequestWithContext(ctx, method, s.url+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	if len(body) > 0 {
		r.Header.Set("Content-Type", contentType)
	}
	for name, value := range headers {
		r.Header.Set(name, value)
	}
	response, err := s.client.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close() //nolint:errcheck // read to its end below
	text, err := io.ReadAll(io.LimitReader(response.Body, answerMost))
	return response.StatusCode, text, err
}
