package bench

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"time"

	"example.com/orderflow/local/direct"
	"example.com/orderflow/local/shop"
)

// errOverdue is the result of an order that was not sent because too many orders have no answer.
var errOverdue = errors.New("not sent: too many orders have no answer yet")

// shopper orders one product, with a connection for each concurrent call.
type shopper struct {
	alice  *shop.Client
	order  shop.Order
	follow *follower
}

// openShopper makes a product with the given stock, which is never reordered.
func openShopper(ctx context.Context, gateway string, units int, f *follower) (*shopper, error) {
	transport := direct.Transport.(*http.Transport).Clone() //nolint:forcetypeassert // it is one
	transport.MaxIdleConns, transport.MaxIdleConnsPerHost = 4096, 4096
	s := &shopper{
		follow: f,
		alice: &shop.Client{
			Gateway: gateway, ID: "alice", Secret: "demo", HTTP: &http.Client{Transport: transport}, Timeout: time.Minute, Again: whenShed,
		},
		order: shop.Order{
			Lines:         []shop.Line{{SKU: "BENCH-" + rand.Text()[:10], Quantity: 1}},
			PaymentMethod: "tok_visa",
			Address:       shop.Address{Name: "Alice", Street: "1 Main St", City: "Berlin", PostalCode: "10115", Country: "DE"},
		},
	}
	return s, s.stock(ctx, units)
}

// stock makes the product and waits until it can be ordered.
func (s *shopper) stock(ctx context.Context, units int) error {
	olga, sku := &shop.Client{Gateway: s.alice.Gateway, ID: "olga", Secret: "demo"}, s.order.Lines[0].SKU
	err := olga.PutProduct(ctx, shop.Product{SKU: sku, Name: "Benchmark", Description: "What the benchmark orders.", Price: shop.Money{Amount: 1000, Currency: "EUR"}})
	if err != nil {
		return fmt.Errorf("make a product: %w", err)
	}
	for left := units; left > 0; { // an operator may add at most a million at once
		add := min(left, 1_000_000)
		if err := olga.AddStock(ctx, rand.Text(), sku, add); err != nil {
			return fmt.Errorf("add stock: %w", err)
		}
		left -= add
	}
	for deadline := time.Now().Add(knownWithin); ; {
		known, err := s.alice.Orderable(ctx, sku)
		if known {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("orders has not heard of a new product within %s: %w", knownWithin, cmp.Or(err, errors.New("there is no such product")))
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
}

// knownWithin bounds the time until orders knows a new product.
const knownWithin = time.Minute

// place orders one unit.
func (s *shopper) place(ctx context.Context) (id string, err error) {
	placed, err := s.alice.Place(ctx, rand.Text(), s.order)
	return placed.ID, err
}

// whenShed sends an order again when the system sheds load, up to 30 times, each time a second later, as Retry-After asks. The
// wait counts. All other refusals are part of the measurement.
func whenShed(tries int, err error) (wait time.Duration, again bool) {
	p, refused := errors.AsType[*shop.Problem](err)
	return time.Second, refused && p.Status == http.StatusServiceUnavailable && tries < 30
}

// ended waits until the order has ended.
func (s *shopper) ended(ctx context.Context, id string) error { return s.follow.wait(ctx, id) }
