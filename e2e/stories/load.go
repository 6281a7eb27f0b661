package stories

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"

	"example.com/orderflow/local/shop"
	"github.com/google/uuid"
)

// Habits describe the shoppers of a load.
type Habits struct {
	Shoppers int
	Pause    time.Duration                        // of each shopper, between two orders
	Want     func() Wish                          // returns the next order
	Crowded  func() bool                          // no shopper orders while it is true; nil: never
	Regret   func() (after time.Duration, _ bool) // whether an order is cancelled, and when
	Twice    float64                              // share of orders that are sent twice at the same time, with one key
}

// Load is shoppers who order all the time, some with bad cards, and some of whom cancel. They retry with the same key when they
// get no good answer.
type Load struct {
	*Client
	alice  *shop.Client
	sku    string
	stock  int
	habits Habits

	stop     context.CancelFunc
	shoppers sync.WaitGroup

	mu       sync.Mutex
	accepted map[string]receipt // by order
	curable  int                // failed requests that succeeded when they were repeated
}

// receipt is a shopper's record of an accepted order.
type receipt struct {
	card string
	at   time.Time // when the shopper got the answer
}

// StartLoad lets four shoppers order one product until Finish.
func (c *Client) StartLoad() *Load {
	c.Helper()
	const stock = 10_000
	sku := c.Product(stock, 0, 0)
	l := c.StartLoadOf(Habits{
		Shoppers: 4,
		Pause:    150 * time.Millisecond, // a steady load, not the highest possible
		Want: func() Wish {
			return Wish{SKU: sku, Card: []string{"tok_visa", "tok_visa", "tok_declined", "tok_flaky"}[rand.IntN(4)]}
		},
		Regret: func() (time.Duration, bool) { return 0, rand.IntN(5) == 0 },
	})
	l.sku, l.stock = sku, stock
	return l
}

// StartLoadOf lets shoppers with other habits order until Stop.
func (c *Client) StartLoadOf(h Habits) *Load {
	ctx, stop := context.WithCancel(c.Context())
	l := &Load{Client: c, habits: h, stop: stop, accepted: map[string]receipt{}}
	l.alice = c.caller("alice", func(_ int, err error) (time.Duration, bool) {
		if refused(err) {
			return 0, false
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		l.curable++
		return 100 * time.Millisecond, ctx.Err() == nil
	})
	c.Cleanup(stop)
	for range h.Shoppers {
		l.shoppers.Go(func() {
			for ctx.Err() == nil {
				if h.Crowded == nil || !h.Crowded() {
					l.buy(ctx)
				}
				time.Sleep(h.Pause)
			}
		})
	}
	return l
}

func (l *Load) buy(ctx context.Context) {
	wish, key, copies := l.habits.Want(), uuid.NewString(), 1
	if rand.Float64() < l.habits.Twice {
		copies = 2
	}
	ids := make(chan string, copies)
	for range copies {
		l.shoppers.Go(func() { ids <- l.place(ctx, wish, key) })
	}
	id := ""
	for range copies {
		switch got := <-ids; {
		case id == "":
			id = got
		case got != "" && got != id:
			l.Errorf("one key was answered with two orders, %s and %s", id, got)
		}
	}
	if id == "" {
		return
	}
	l.note(id, wish.Card)
	if after, regrets := l.habits.Regret(); regrets {
		l.shoppers.Go(func() {
			time.Sleep(after)
			_, _ = l.Cancel(id) // fails if it is too late or a service is away
		})
	}
}

// place places an order, with as many tries as needed. An empty id means that the load has ended or the order was refused. A
// request on its way when the load ends is still answered: the order may have been accepted.
func (l *Load) place(ctx context.Context, wish Wish, key string) (id string) {
	placed, err := l.alice.Place(context.WithoutCancel(ctx), key, wish.Order())
	if refused(err) {
		l.Errorf("an order was refused: %v", err)
	}
	return placed.ID
}

// refused reports whether the shop has understood a request and does not want it.
func refused(err error) bool {
	p, refused := errors.AsType[*shop.Problem](err)
	return refused && p.Status < 500 && p.Status != http.StatusTooManyRequests
}

func (l *Load) note(id, card string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if before, again := l.accepted[id]; again {
		l.Errorf("order %s was given out twice, %s and %s", id, before.card, card)
	}
	l.accepted[id] = receipt{card, time.Now()}
}

// Accepted lists the ids of the orders that were accepted so far.
func (l *Load) Accepted() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Collect(maps.Keys(l.accepted))
}

// AcceptedAt returns when those orders were accepted.
func (l *Load) AcceptedAt() map[string]time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	at := map[string]time.Time{}
	for id, r := range l.accepted {
		at[id] = r.at
	}
	return at
}

// SentAgain is how many requests were repeated.
func (l *Load) SentAgain() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.curable
}

// Stop ends the load and returns when all shoppers have finished.
func (l *Load) Stop() {
	l.stop()
	l.shoppers.Wait()
}

// Finish ends what StartLoad began, waits until every accepted order is final, and compares the orders with the provider's
// ledger and the stock. It returns their number.
func (l *Load) Finish() int {
	l.Helper()
	l.Stop()
	ends, counts, delivered := map[string]shop.Tracking{}, map[string]int{}, 0
	for id, receipt := range l.accepted {
		end, card := l.End(id), receipt.card
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
