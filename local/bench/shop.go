package bench

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"example.com/orderflow/local/direct"
)

// errOverdue is the result of an order that was not sent because too many orders have no answer.
var errOverdue = errors.New("not sent: too many orders have no answer yet")

// shop is a client of the public API, with a connection for each concurrent call.
type shop struct {
	gateway string
	sku     string // of the product that is ordered
	client  *http.Client
	tokens  map[string]string // by name of the demo client
	follow  *follower
}

// openShop signs in as a shopper and as the operator, and makes a product with the given stock, which is never reordered.
func openShop(ctx context.Context, gateway string, units int, f *follower) (*shop, error) {
	transport := direct.Transport.(*http.Transport).Clone() //nolint:forcetypeassert // it is one
	transport.MaxIdleConns, transport.MaxIdleConnsPerHost = 4096, 4096
	s := &shop{gateway: gateway, follow: f, tokens: map[string]string{}, client: &http.Client{Timeout: time.Minute, Transport: transport}}
	for _, name := range []string{"alice", "olga"} {
		if err := s.signIn(ctx, name); err != nil {
			return nil, err
		}
	}
	return s, s.stock(ctx, units)
}

func (s *shop) signIn(ctx context.Context, name string) error {
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {name}, "client_secret": {"demo"}}
	var answer struct {
		Token string `json:"access_token"`
	}
	err := s.send(ctx, http.MethodPost, "/oauth/token", "application/x-www-form-urlencoded", form.Encode(), nil, &answer)
	if err != nil {
		return fmt.Errorf("sign in as %s: %w", name, err)
	}
	s.tokens[name] = answer.Token
	return nil
}

// stock makes a product and waits until it can be ordered.
func (s *shop) stock(ctx context.Context, units int) error {
	s.sku = "BENCH-" + rand.Text()[:10]
	const product = `{"name":"Benchmark","description":"What the benchmark orders.","price":{"amount":1000,"currency":"EUR"},"reorder_point":0,"reorder_quantity":0}`
	if err := s.call(ctx, "olga", http.MethodPut, "/api/products/"+s.sku, product, nil); err != nil {
		return fmt.Errorf("make a product: %w", err)
	}
	for left := units; left > 0; { // an operator may add at most a million at once
		add := min(left, 1_000_000)
		if err := s.call(ctx, "olga", http.MethodPost, "/api/products/"+s.sku+"/stock", fmt.Sprintf(`{"add":%d}`, add), nil); err != nil {
			return fmt.Errorf("add stock: %w", err)
		}
		left -= add
	}
	return s.known(ctx)
}

// knownWithin bounds the time until orders knows a new product.
const knownWithin = time.Minute

// known waits until orders knows the product: an order of it and of a product that cannot exist is refused for the latter only.
func (s *shop) known(ctx context.Context) error {
	const nobody = "NO-SUCH-PRODUCT"
	for deadline := time.Now().Add(knownWithin); ; {
		body := strings.Replace(s.order(), `"lines":[`, `"lines":[{"sku":"`+nobody+`","quantity":1},`, 1)
		err := s.call(ctx, "alice", http.MethodPost, "/api/orders", body, nil)
		if refused, ok := errors.AsType[refusal](err); ok && refused.status == http.StatusUnprocessableEntity && !strings.Contains(refused.text, "lines[1]") {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("orders has not heard of a new product within %s: %w", knownWithin, cmp.Or(err, errors.New("it has sold what cannot exist")))
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
}

func (s *shop) order() string {
	return fmt.Sprintf(`{"lines":[{"sku":%q,"quantity":1}],"payment_method":"tok_visa","allow_backorder":false,`+
		`"shipping_address":{"name":"Alice","street":"1 Main St","city":"Berlin","postal_code":"10115","country":"DE"}}`, s.sku)
}

// place orders one unit.
func (s *shop) place(ctx context.Context) (id string, err error) {
	var placed struct{ ID string }
	header := http.Header{"Authorization": {"Bearer " + s.tokens["alice"]}, "Idempotency-Key": {"bench-" + rand.Text()}}
	for range placeAgain {
		err = s.send(ctx, http.MethodPost, "/api/orders", "application/json", s.order(), header, &placed)
		r, refused := errors.AsType[refusal](err)
		if !refused || r.status != http.StatusServiceUnavailable || pause(ctx, time.Second) != nil {
			break
		}
	}
	if err != nil {
		return "", fmt.Errorf("place an order: %w", err)
	}
	return placed.ID, nil
}

// placeAgain is how often an order is sent when the system sheds load, each time a second later, as Retry-After asks. The wait
// counts.
const placeAgain = 30

// ended waits until the order has ended.
func (s *shop) ended(ctx context.Context, id string) error { return s.follow.wait(ctx, id) }

// refusal is the error for an error response.
type refusal struct {
	status int
	text   string
}

func (r refusal) Error() string { return fmt.Sprintf("%d %s", r.status, r.text) }

// call sends a request once, as a client of the demo identity. It does not retry, because error responses are part of the
// measurement.
func (s *shop) call(ctx context.Context, who, method, path, body string, into any) error {
	header := http.Header{"Authorization": {"Bearer " + s.tokens[who]}}
	if method == http.MethodPost {
		header.Set("Idempotency-Key", "bench-"+rand.Text())
	}
	return s.send(ctx, method, path, "application/json", body, header, into)
}

func (s *shop) send(ctx context.Context, method, path, kind, body string, header http.Header, into any) error {
	request, err := http.NewRequestWithContext(ctx, method, s.gateway+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	if header != nil {
		request.Header = header
	}
	request.Header.Set("Content-Type", kind)
	response, err := s.client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close() //nolint:errcheck // read to its end below
	answer, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return err
	}
	if response.StatusCode >= http.StatusBadRequest {
		return refusal{response.StatusCode, string(bytes.TrimSpace(answer))}
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(answer, into)
}
