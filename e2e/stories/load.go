package stories

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
)

// Load is shoppers who order all the time, some with bad cards, some with second thoughts, and who try again with the same
// key when they get no good answer.
type Load struct {
	*Client
	sku   string
	stock int

	stop     context.CancelFunc
	shoppers sync.WaitGroup

	mu       sync.Mutex
	accepted map[string]string // card by order
	curable  int               // answers that trying again has cured
}

// StartLoad lets four shoppers order until Finish.
func (c *Client) StartLoad() *Load {
	c.Helper()
	ctx, stop := context.WithCancel(c.Context())
	l := &Load{Client: c, stock: 10_000, stop: stop, accepted: map[string]string{}}
	l.sku = c.Product(l.stock, 0, 0)
	c.Cleanup(stop)
	for range 4 {
		l.shoppers.Go(func() {
			for ctx.Err() == nil {
				l.buy(ctx)
				time.Sleep(150 * time.Millisecond) // a steady load, not the most
			}
		})
	}
	return l
}

func (l *Load) buy(ctx context.Context) {
	card := []string{"tok_visa", "tok_visa", "tok_declined", "tok_flaky"}[rand.IntN(4)]
	key := uuid.NewString()
	for ; ctx.Err() == nil; time.Sleep(100 * time.Millisecond) {
		a, err := l.Call("alice", http.MethodPost, "/api/orders", Wish{SKU: l.sku, Card: card}.JSON(), "Idempotency-Key", key)
		switch {
		case err == nil && a.Status == http.StatusAccepted:
			var o struct{ ID string }
			a.Into(l, &o)
			l.note(o.ID, card)
			if rand.IntN(5) == 0 {
				_, _ = l.Cancel(o.ID)
			}
			return
		case err == nil && a.Status < 500 && a.Status != http.StatusTooManyRequests:
			l.Errorf("an order was refused: %d %s", a.Status, a.Body)
			return
		}
		l.mu.Lock()
		l.curable++
		l.mu.Unlock()
	}
}

func (l *Load) note(id, card string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if before, again := l.accepted[id]; again {
		l.Errorf("order %s was given out twice, %s and %s", id, before, card)
	}
	l.accepted[id] = card
}

// Accepted lists the ids of the orders that were accepted so far.
func (l *Load) Accepted() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Collect(maps.Keys(l.accepted))
}

// Finish ends the load, waits until every order that was accepted is final, and checks them against the provider's books
// and the stock. It returns how many there were.
func (l *Load) Finish() int {
	l.Helper()
	l.stop()
	l.shoppers.Wait()
	ends, counts, delivered := map[string]Tracking{}, map[string]int{}, 0
	for id, card := range l.accepted {
		end := l.End(id)
		ends[id] = end
		counts[fmt.Sprint(card, " ", end.Status, " ", end.Reason)]++
		if end.Status == "delivered" {
			delivered++
			if card == "tok_declined" {
				l.Errorf("order %s was delivered with a declined card", id)
			}
		}
		if end.Reason != "" && end.Reason != "customer_request" && end.Reason != "payment_declined" {
			l.Errorf("order %s was cancelled: %s", id, end.Reason)
		}
	}
	l.Logf("%d orders, %d requests sent again: %v", len(ends), l.curable, counts)
	l.Settle(ends)
	Until(l, "the stock is as it should be", func() bool { return l.Available(l.sku) == l.stock-delivered })
	return len(ends)
}
