package demo

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"example.com/orderflow/local/direct"
	"example.com/orderflow/local/money"
)

// shop is a client of the public API.
type shop struct {
	url   string
	token string // of the caller
}

type sum struct {
	Amount   int64  `json:"amount"`
	Currency string `json:"currency"`
}

func (m sum) String() string { return money.Text(m.Amount, m.Currency) }

type product struct {
	SKU             string `json:"sku"`
	Name            string `json:"name"`
	Price           sum    `json:"price"`
	Available       int    `json:"available"`
	ReorderPoint    int    `json:"reorder_point"`
	ReorderQuantity int    `json:"reorder_quantity"`
}

// order is the request to place an order.
type order struct {
	Lines          []line  `json:"lines"`
	PaymentMethod  string  `json:"payment_method"`
	Address        address `json:"shipping_address"`
	AllowBackorder bool    `json:"allow_backorder"`
}

type line struct {
	SKU      string `json:"sku"`
	Quantity int    `json:"quantity"`
}

type address struct {
	Name       string `json:"name"`
	Street     string `json:"street"`
	City       string `json:"city"`
	PostalCode string `json:"postal_code"`
	Country    string `json:"country"`
}

// tracking is the shop's answer about an order.
type tracking struct {
	OrderID  string  `json:"order_id"`
	Status   string  `json:"status"`
	Reason   string  `json:"reason"`
	Timeline []entry `json:"timeline"`
	Payment  struct {
		Status string `json:"status"`
		Amount sum    `json:"amount"`
	} `json:"payment"`
}

type entry struct {
	Seq    int       `json:"seq"`
	At     time.Time `json:"at"`
	Status string    `json:"status"`
	What   string    `json:"what"`
}

func (t tracking) final() bool { return t.Status == "delivered" || t.Status == "cancelled" }

// signIn returns a client with a token of the demo identity.
func signIn(ctx context.Context, address, name, secret string) (shop, error) {
	s := shop{url: address}
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {name}, "client_secret": {secret}}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, address+"/oauth/token", strings.NewReader(form.Encode()))
	if err != nil {
		return s, fmt.Errorf("sign in as %s: %w", name, err)
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	var answer struct {
		AccessToken string `json:"access_token"`
	}
	if err := send(request, &answer); err != nil {
		return s, fmt.Errorf("sign in as %s: %w", name, err)
	}
	s.token = answer.AccessToken
	return s, nil
}

func (s shop) products(ctx context.Context) ([]product, error) {
	var list struct {
		Items []product `json:"items"`
	}
	err := s.call(ctx, http.MethodGet, "/api/products", nil, &list)
	return list.Items, err
}

func (s shop) place(ctx context.Context, o order) (id string, err error) {
	var placed struct {
		ID string `json:"id"`
	}
	err = s.call(ctx, http.MethodPost, "/api/orders", o, &placed)
	return placed.ID, err
}

func (s shop) track(ctx context.Context, id string) (t tracking, err error) {
	err = s.call(ctx, http.MethodGet, "/api/orders/"+id+"/tracking", nil, &t)
	return t, err
}

func (s shop) cancel(ctx context.Context, id string) error {
	return s.call(ctx, http.MethodPost, "/api/orders/"+id+"/cancellation", nil, nil)
}

// count returns the length of one of the operator's lists.
func (s shop) count(ctx context.Context, path string) (int, error) {
	var list struct {
		Items []any `json:"items"`
	}
	err := s.call(ctx, http.MethodGet, path, nil, &list)
	return len(list.Items), err
}

// call sends a request until it gets a final answer: a shop that is busy or still starting says when to retry. A POST keeps its
// idempotency key, so that it takes effect once.
func (s shop) call(ctx context.Context, method, path string, body, into any) error {
	key := rand.Text()
	for {
		var encoded bytes.Buffer
		if body != nil {
			if err := json.NewEncoder(&encoded).Encode(body); err != nil {
				return fmt.Errorf("encode the request: %w", err)
			}
		}
		request, err := http.NewRequestWithContext(ctx, method, s.url+path, &encoded)
		if err != nil {
			return fmt.Errorf("%s %s: %w", method, path, err)
		}
		request.Header.Set("Authorization", "Bearer "+s.token)
		request.Header.Set("Cache-Control", "no-cache")
		if body != nil {
			request.Header.Set("Content-Type", "application/json")
		}
		if method == http.MethodPost {
			request.Header.Set("Idempotency-Key", key)
		}
		err = send(request, into)
		refused, ok := err.(problem) //nolint:errorlint // send returns it as it is
		if !ok || refused.again == 0 {
			return err
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(refused.again):
		}
	}
}

// problem is the error for an error response.
type problem struct {
	Status int    `json:"status"`
	Title  string `json:"title"`
	Detail string `json:"detail"`

	again time.Duration // the time after which a retry may succeed; 0: it will not
}

func (p problem) Error() string { return fmt.Sprintf("%d %s: %s", p.Status, p.Title, p.Detail) }

func send(request *http.Request, into any) error {
	response, err := direct.Client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close() //nolint:errcheck // read to its end below
	answer, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return err
	}
	if response.StatusCode >= http.StatusBadRequest {
		p := problem{Status: response.StatusCode, Title: http.StatusText(response.StatusCode), Detail: string(answer)}
		_ = json.Unmarshal(answer, &p) // other bodies than problem documents are quoted unchanged
		if p.Status == http.StatusTooManyRequests || p.Status == http.StatusServiceUnavailable {
			seconds, err := strconv.Atoi(response.Header.Get("Retry-After"))
			if err != nil {
				seconds = 1
			}
			p.again = cmp.Or(time.Duration(seconds)*time.Second, 100*time.Millisecond)
		}
		return p
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal(answer, into); err != nil {
		return fmt.Errorf("%s %s answered %q: %w", request.Method, request.URL.Path, answer, err)
	}
	return nil
}
