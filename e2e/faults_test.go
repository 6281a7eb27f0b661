package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
)

// Orders are accepted while a neighbour or the broker is away, and go on once it is back.
func TestOrdersAreAcceptedWhileOthersAreAwayAndGoOnAfterwards(t *testing.T) {
	t.Parallel()
	s := start(t, 1, settings)
	c := newClient(t, s)
	sku := c.product(100, 0, 0)
	ends := map[string]tracking{}
	for _, name := range []string{"payments", "shipping", "inventory", "rabbitmq"} {
		for _, p := range s.Named(name) {
			if err := p.Stop(); err != nil {
				t.Fatal(err)
			}
		}
		id := c.place(wish{sku: sku})
		if name == "payments" {
			c.reach(id, "reserved")
		}
		for _, p := range s.Named(name) {
			if err := p.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		ends[id] = c.end(id)
		if ends[id].Status != "delivered" {
			t.Errorf("without %s: %s (%s)", name, ends[id].Status, ends[id].Reason)
		}
	}
	settle(t, s, ends)
}

// Under load each program is killed or stopped, one after another, and the servers are restarted. What was accepted
// ends as it should.
func TestNothingIsLostOrChargedTwiceWhoeverIsKilled(t *testing.T) {
	t.Parallel()
	s := start(t, 2, settings)
	c := newClient(t, s)
	sku := c.product(10_000, 0, 0)

	var mu sync.Mutex
	accepted := map[string]string{} // id by card
	ctx, stop := context.WithCancel(t.Context())
	var shoppers sync.WaitGroup
	for range 4 {
		shoppers.Go(func() {
			for ctx.Err() == nil {
				card := []string{"tok_visa", "tok_visa", "tok_declined", "tok_flaky"}[rand.IntN(4)]
				key := uuid.NewString()
				for ctx.Err() == nil { // a client that retries with the same key
					a, err := c.call("alice", http.MethodPost, "/api/orders", wish{sku: sku, card: card}.body(), "Idempotency-Key", key)
					if err == nil && a.status == http.StatusAccepted {
						var o struct{ ID string }
						a.into(t, &o)
						mu.Lock()
						if before, again := accepted[o.ID]; again {
							t.Errorf("order %s was given out twice, %s and %s", o.ID, before, card)
						}
						accepted[o.ID] = card
						mu.Unlock()
						if rand.IntN(5) == 0 {
							_, _ = c.call("alice", http.MethodPost, "/api/orders/"+o.ID+"/cancellation", "")
						}
						break
					}
					if err == nil && a.status < 500 && a.status != http.StatusTooManyRequests {
						t.Errorf("an order was refused: %d %s", a.status, a.body)
						break
					}
					time.Sleep(100 * time.Millisecond)
				}
				time.Sleep(150 * time.Millisecond) // a steady load, not the most
			}
		})
	}
	parts := slices.Clone(s.Parts())
	for round, p := range parts {
		if round%2 == 0 {
			p.Kill()
		} else if err := p.Stop(); err != nil {
			t.Errorf("%s did not stop as it should: %v", p.Name, err)
		}
		time.Sleep(300 * time.Millisecond) // away for a moment, with orders coming in
		if err := p.Start(t.Context()); err != nil {
			t.Fatalf("start %s again: %v", p.Name, err)
		}
	}
	stop()
	shoppers.Wait()

	ends, counts := map[string]tracking{}, map[string]int{}
	for id, card := range accepted {
		ends[id] = c.end(id)
		counts[fmt.Sprint(card, " ", ends[id].Status, " ", ends[id].Reason)]++
		if card == "tok_declined" && ends[id].Status == "delivered" {
			t.Errorf("order %s was delivered with a declined card", id)
		}
		if r := ends[id].Reason; r != "" && r != "customer_request" && r != "payment_declined" {
			t.Errorf("order %s was cancelled: %s", id, r)
		}
	}
	t.Logf("%d orders: %v", len(accepted), counts)
	if len(accepted) < 50 {
		t.Errorf("only %d orders were accepted: that is no load", len(accepted))
	}
	settle(t, s, ends)
	delivered := 0
	for _, end := range ends {
		if end.Status == "delivered" {
			delivered++
		}
	}
	until(t, "the stock is as it should be", func() bool { return c.available(sku) == 10_000-delivered })
}
