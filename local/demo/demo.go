// Package demo tells a story: a customer places orders that end in every possible way, through the gateway and over HTTP
// like any client, and each stage is shown as it happens.
package demo

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"example.com/orderflow/local/shop"
)

// timeout bounds the whole story. It takes a quarter of a minute on an idle machine.
const timeout = 3 * time.Minute

// opening bounds the time until all services know all products.
const opening = 20 * time.Second

// Tell tells the story on the system behind a gateway. If an order did not end as expected, it returns an error that
// describes the differences.
func Tell(ctx context.Context, gateway string, n *Narrator) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()

	alice := &shop.Client{Gateway: gateway, ID: "alice", Secret: "demo"}
	olga := &shop.Client{Gateway: gateway, ID: "olga", Secret: "demo"}
	catalogue, err := stocked(ctx, alice, olga)
	if err != nil {
		return err
	}
	story := chapters()
	if err := cast(story, catalogue); err != nil {
		return err
	}
	n.catalogue(catalogue)
	n.opening(story, catalogue)

	results := make([]result, len(story))
	var all sync.WaitGroup
	for i, c := range story {
		// One after another: the first order may have to wait for a shop that has just opened.
		results[i] = place(ctx, alice, c)
		all.Go(func() { results[i].follow(ctx, alice, n) })
	}
	all.Wait()

	differences := compare(results)
	stock, missing := balance(ctx, alice, catalogue, results)
	differences = append(differences, missing...)
	n.closing(results)
	n.stock(stock)
	if err := n.operator(ctx, olga); err != nil {
		differences = append(differences, err.Error())
	}
	if len(differences) > 0 {
		return errors.New("not everything ended as it should:\n  " + strings.Join(differences, "\n  "))
	}
	return nil
}

// stocked waits for the catalogue, which inventory fills at its first start.
func stocked(ctx context.Context, s, olga *shop.Client) ([]shop.Product, error) {
	for {
		catalogue, err := s.Products(ctx)
		if err != nil {
			return nil, fmt.Errorf("look at the products: %w", err)
		}
		if len(catalogue) > 0 {
			reorders, err := olga.Reorders(ctx)
			if err != nil {
				return nil, fmt.Errorf("look at the stock: %w", err)
			}
			for i := range catalogue {
				catalogue[i].Reorder = reorders[catalogue[i].SKU]
			}
			return catalogue, nil
		}
		select {
		case <-ctx.Done():
			return nil, errors.New("the catalogue stays empty")
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// result is a chapter with its actual course.
type result struct {
	chapter
	orderID string
	got     outcome
	amount  shop.Money
	began   time.Time
	took    time.Duration
	err     error
}

// place places a chapter's order. Its product is in the shop's list, so a refusal as unknown (422) means that the news of the
// product has not reached orders yet.
func place(ctx context.Context, customer *shop.Client, c chapter) result {
	o := shop.Order{
		Lines: []shop.Line{{SKU: c.sku, Quantity: c.quantity}}, PaymentMethod: c.payment, AllowBackorder: c.backorder,
		Address: shop.Address{Name: "Alice", Street: "1 Main St", City: "Berlin", PostalCode: c.postalCode, Country: "DE"},
	}
	key := rand.Text()
	for began := time.Now(); ; {
		placed, err := customer.Place(ctx, key, o)
		if statusOf(err) != http.StatusUnprocessableEntity || time.Since(began) > opening {
			return result{chapter: c, orderID: placed.ID, began: time.Now(), err: err}
		}
		select {
		case <-ctx.Done():
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// statusOf returns the status code of a refusal; 0: err is no refusal.
func statusOf(err error) int {
	if refused, ok := errors.AsType[*shop.Problem](err); ok {
		return refused.Status
	}
	return 0
}

// follow shows what becomes of an order until it has ended.
func (r *result) follow(ctx context.Context, customer *shop.Client, n *Narrator) {
	if r.err == nil {
		r.err = r.watch(ctx, customer, n)
	}
	r.took = time.Since(r.began)
}

func (r *result) watch(ctx context.Context, customer *shop.Client, n *Narrator) error {
	var first time.Time
	for e, err := range customer.Follow(ctx, r.orderID) {
		if err != nil {
			return err
		}
		if e.Seq == 1 {
			first = e.At
		}
		n.stage(r.chapter, e.At.Sub(first), e)
		if r.cancelAt == e.Status && r.got.cancellation == "" {
			if r.got.cancellation, err = cancellation(ctx, customer, r.orderID); err != nil {
				return err
			}
			n.request(r.chapter, time.Since(r.began), r.got.cancellation)
		}
	}
	t, err := customer.Track(ctx, r.orderID)
	if err != nil {
		return err
	}
	r.got.status, r.got.reason = t.Status, t.Reason
	if t.Payment != nil {
		r.got.payment, r.amount = t.Payment.Status, t.Payment.Amount
	}
	return nil
}

func cancellation(ctx context.Context, customer *shop.Client, id string) (string, error) {
	err := customer.Cancel(ctx, id)
	if statusOf(err) == http.StatusConflict {
		return "refused (409)", nil
	}
	if err != nil {
		return "", fmt.Errorf("cancel: %w", err)
	}
	return "accepted", nil
}

// compare lists the differences between actual and expected results.
func compare(results []result) []string {
	var differences []string
	for _, r := range results {
		switch {
		case r.err != nil:
			differences = append(differences, fmt.Sprintf("%s: %v", r.title, r.err))
		case r.got != r.want:
			differences = append(differences, fmt.Sprintf("%s: %s, and should be %s", r.title, r.got, r.want))
		}
	}
	return differences
}

func (o outcome) String() string {
	text := o.status
	if o.reason != "" {
		text += " (" + o.reason + ")"
	}
	if o.payment != "" {
		text += ", payment " + o.payment
	}
	if o.cancellation != "" {
		text += ", cancellation " + o.cancellation
	}
	return text
}

// holding is the stock of a product before and after the story.
type holding struct {
	name                    string
	before, taken, returned int
	after                   int
}

// balance checks the stock of each product that is not reordered during the story: delivered units are gone, all others are
// available again.
func balance(ctx context.Context, s *shop.Client, before []shop.Product, results []result) (stock []holding, differences []string) {
	after, err := s.Products(ctx)
	if err != nil {
		return nil, []string{fmt.Sprintf("look at the stock: %v", err)}
	}
	for _, p := range before {
		h := holding{name: p.Name, before: p.Available}
		ordered := false
		for _, r := range results {
			if r.sku != p.SKU || r.beyond {
				continue
			}
			ordered = true
			if r.got.status == "delivered" {
				h.taken += r.quantity
			} else {
				h.returned += r.quantity
			}
		}
		i := slices.IndexFunc(after, func(q shop.Product) bool { return q.SKU == p.SKU })
		if !ordered || i < 0 {
			continue
		}
		h.after = after[i].Available
		stock = append(stock, h)
		if h.after != h.before-h.taken {
			differences = append(differences, fmt.Sprintf("stock of %s: %d, and should be %d - %d = %d", p.SKU, h.after, h.before, h.taken, h.before-h.taken))
		}
	}
	return stock, differences
}
