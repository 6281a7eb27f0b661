package e2e

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"
)

func TestStories(t *testing.T) {
	t.Parallel()
	s := together(t)
	for _, story := range []struct {
		name   string
		stock  int
		wish   wish
		status string
		reason string
		path   string // of statuses
		paid   string // the payment's status; "" when there is none
		left   int    // available at the end
	}{
		{"delivered", 5, wish{quantity: 2}, "delivered", "", "placed reserved paid shipped delivered", "taken", 3},
		{"declined, and the stock is back", 5, wish{card: "tok_declined"}, "cancelled", "payment_declined", "placed reserved releasing cancelled", "declined", 5},
		{"out of stock", 1, wish{quantity: 2}, "cancelled", "out_of_stock", "placed cancelled", "", 1},
		{"undeliverable, refunded, and the stock is back", 5, wish{postal: "00000"}, "cancelled", "undeliverable", "placed reserved paid shipped refunding releasing cancelled", "refunded", 5},
		{"a provider that fails twice", 5, wish{card: "tok_flaky"}, "delivered", "", "placed reserved paid shipped delivered", "taken", 4},
		{"a provider that charges and does not answer", 5, wish{card: "tok_timeout"}, "delivered", "", "placed reserved paid shipped delivered", "taken", 4},
	} {
		t.Run(story.name, func(t *testing.T) {
			t.Parallel()
			c := newClient(t, s)
			story.wish.sku = c.product(story.stock, 0, 0)
			id := c.place(story.wish)
			end := c.end(id)
			if end.Status != story.status || end.Reason != story.reason {
				t.Errorf("ended %s (%s), want %s (%s)", end.Status, end.Reason, story.status, story.reason)
			}
			if got := strings.Join(end.path(), " "); got != story.path {
				t.Errorf("went %s\nwant %s", got, story.path)
			}
			if end.Payment == nil != (story.paid == "") || end.Payment != nil && end.Payment.Status != story.paid {
				t.Errorf("payment %+v, want %q", end.Payment, story.paid)
			}
			until(t, "the stock is as it should be", func() bool { return c.available(story.wish.sku) == story.left })
			settle(t, s, map[string]tracking{id: end})
		})
	}
}

func TestABackorderIsDeliveredAfterAdditionalStockWasOrdered(t *testing.T) {
	t.Parallel()
	c := newClient(t, together(t))
	sku := c.product(3, 2, 10)
	id := c.place(wish{sku: sku, quantity: 5, backorder: true})
	end := c.end(id)
	if got, want := strings.Join(end.path(), " "), "placed backordered reserved paid shipped delivered"; got != want {
		t.Errorf("went %s\nwant %s", got, want)
	}
	if left := c.available(sku); left != 8 { // 3 and 10 from the supplier, less 5
		t.Errorf("%d left, want 8", left)
	}
}

func TestCancelledBeforeDispatchIsRefunded(t *testing.T) {
	t.Parallel()
	s := start(t, 1, map[string][]string{"simulator": {"CARRIER_PACE=10s"}, "orders": settings["orders"]})
	c := newClient(t, s)
	sku := c.product(5, 0, 0)
	id := c.place(wish{sku: sku})
	c.reach(id, "paid")
	c.must(http.StatusAccepted, "alice", http.MethodPost, "/api/orders/"+id+"/cancellation", "")
	end := c.end(id)
	if got, want := strings.Join(end.path(), " "), "placed reserved paid withdrawing refunding releasing cancelled"; got != want || end.Reason != "customer_request" || end.Payment.Status != "refunded" {
		t.Errorf("went %s (%s), payment %+v\nwant %s", got, end.Reason, end.Payment, want)
	}
	if left := c.available(sku); left != 5 {
		t.Errorf("%d left, want 5", left)
	}
	settle(t, s, map[string]tracking{id: end})
}

func TestACancellationAfterDispatchIsRefused(t *testing.T) {
	t.Parallel()
	c := newClient(t, together(t))
	id := c.place(wish{sku: c.product(5, 0, 0)})
	c.reach(id, "shipped")
	c.must(http.StatusConflict, "alice", http.MethodPost, "/api/orders/"+id+"/cancellation", "")
	if end := c.end(id); end.Status != "delivered" {
		t.Errorf("ended %s", end.Status)
	}
}

func TestCancellationsAtAnyMomentEndLegally(t *testing.T) {
	t.Parallel()
	s := together(t)
	c := newClient(t, s)
	sku := c.product(40, 0, 0)
	ends := map[string]tracking{}
	var ids []string
	for i := range 20 {
		id := c.place(wish{sku: sku})
		ids = append(ids, id)
		if i%2 == 0 { // at once, or after a while that differs
			_, _ = c.call("alice", http.MethodPost, "/api/orders/"+id+"/cancellation", "")
		}
	}
	for _, id := range slices.Backward(ids) {
		if a, err := c.call("alice", http.MethodPost, "/api/orders/"+id+"/cancellation", ""); err != nil || a.status != 202 && a.status != 409 {
			t.Errorf("cancel: %d %s %v", a.status, a.body, err)
		}
	}
	left := 40
	for _, id := range ids {
		ends[id] = c.end(id)
		if ends[id].Status == "delivered" {
			left--
		}
	}
	settle(t, s, ends)
	until(t, "the stock is as it should be", func() bool { return c.available(sku) == left })
}

func TestFiftyOrdersOnAStockOfTen(t *testing.T) {
	t.Parallel()
	s := together(t)
	c := newClient(t, s)
	sku := c.product(10, 0, 0)
	ids := make(chan string, 50)
	for range 50 {
		go func() {
			var o struct{ ID string }
			a, err := c.call("alice", http.MethodPost, "/api/orders", wish{sku: sku}.body(), "Idempotency-Key", uuid.NewString())
			if err != nil || a.status != http.StatusAccepted {
				t.Errorf("place: %d %s %v", a.status, a.body, err)
				ids <- ""
				return
			}
			a.into(t, &o)
			ids <- o.ID
		}()
	}
	ends, counts := map[string]tracking{}, map[string]int{}
	for range 50 {
		if id := <-ids; id != "" {
			ends[id] = c.end(id)
			counts[ends[id].Status+ends[id].Reason]++
		}
	}
	if counts["delivered"] != 10 || counts["cancelledout_of_stock"] != 40 {
		t.Errorf("ended %v, want 10 delivered and 40 out of stock", counts)
	}
	settle(t, s, ends)
}
