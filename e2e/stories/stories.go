package stories

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"example.com/orderflow/local/shop"
	"github.com/google/uuid"
)

// Run tells every story that works in any world, at the same time. The worlds need a carrier that delivers a parcel within
// seconds.
func Run(t *testing.T, w World) {
	for _, story := range []struct {
		name string
		tell func(*testing.T, World)
	}{
		{"ways to end", waysToEnd},
		{"a backorder is delivered after additional stock was ordered", backorder},
		{"a cancellation after dispatch is refused", cancelTooLate},
		{"cancellations at any moment end legally", cancelAnyMoment},
		{"fifty orders on a stock of ten", fiftyOnTen},
	} {
		t.Run(story.name, func(t *testing.T) {
			t.Parallel()
			story.tell(t, w)
		})
	}
}

func waysToEnd(t *testing.T, w World) {
	for _, story := range []struct {
		name   string
		stock  int
		wish   Wish
		status string
		reason string
		path   string // of statuses: see went
		paid   string // the payment's status; "": none
		left   int    // available at the end
	}{
		{"delivered", 5, Wish{Quantity: 2}, "delivered", "", "placed reserved paid [shipped] delivered", "taken", 3},
		{"declined, and the stock is back", 5, Wish{Card: "tok_declined"}, "cancelled", "payment_declined", "placed reserved releasing cancelled", "declined", 5},
		{"out of stock", 1, Wish{Quantity: 2}, "cancelled", "out_of_stock", "placed cancelled", "", 1},
		{"undeliverable, refunded, and the stock is back", 5, Wish{Postal: "00000"}, "cancelled", "undeliverable", "placed reserved paid [shipped] refunding releasing cancelled", "refunded", 5},
		{"a provider that fails twice", 5, Wish{Card: "tok_flaky"}, "delivered", "", "placed reserved paid [shipped] delivered", "taken", 4},
		{"a provider that charges and does not answer", 5, Wish{Card: "tok_timeout"}, "delivered", "", "placed reserved paid [shipped] delivered", "taken", 4},
	} {
		t.Run(story.name, func(t *testing.T) {
			t.Parallel()
			c := New(t, w)
			story.wish.SKU = c.Product(story.stock, 0, 0)
			id := c.Place(story.wish)
			end := c.End(id)
			if end.Status != story.status || end.Reason != story.reason {
				t.Errorf("ended %s (%s), want %s (%s)", end.Status, end.Reason, story.status, story.reason)
			}
			went(t, end, story.path)
			if end.Payment == nil != (story.paid == "") || end.Payment != nil && end.Payment.Status != story.paid {
				t.Errorf("payment %+v, want %q", end.Payment, story.paid)
			}
			Until(t, "the stock is as it should be", func() bool { return c.Available(story.wish.SKU) == story.left })
			c.Settle(map[string]shop.Tracking{id: end})
		})
	}
}

// went fails if an order has taken another path than wanted. A status in brackets may be missing: two replicas may handle two
// events about the order in reverse order.
func went(t *testing.T, end shop.Tracking, want string) {
	t.Helper()
	path := Path(end)
	for status := range strings.FieldsSeq(want) {
		name := strings.Trim(status, "[]")
		switch {
		case len(path) > 0 && path[0] == name:
			path = path[1:]
		case name == status:
			t.Errorf("went %v\nwant %s", Path(end), want)
			return
		}
	}
	if len(path) > 0 {
		t.Errorf("went %v\nwant %s", Path(end), want)
	}
}

func backorder(t *testing.T, w World) {
	c := New(t, w)
	sku := c.Product(3, 2, 10)
	id := c.Place(Wish{SKU: sku, Quantity: 5, Backorder: true})
	end := c.End(id)
	went(t, end, "placed [backordered] reserved paid [shipped] delivered")
	if left := c.Available(sku); left != 8 { // 3 and 10 from the supplier, less 5
		t.Errorf("%d left, want 8", left)
	}
}

func cancelTooLate(t *testing.T, w World) {
	c := New(t, w)
	id := c.Place(Wish{SKU: c.Product(5, 0, 0)})
	c.Reach(id, "shipped")
	c.Must(http.StatusConflict, "alice", http.MethodPost, "/api/orders/"+id+"/cancellation", "")
	if end := c.End(id); end.Status != "delivered" {
		t.Errorf("ended %s", end.Status)
	}
}

func cancelAnyMoment(t *testing.T, w World) {
	c := New(t, w)
	sku := c.Product(40, 0, 0)
	ends := map[string]shop.Tracking{}
	var ids []string
	for i := range 20 {
		id := c.Place(Wish{SKU: sku})
		ids = append(ids, id)
		if i%2 == 0 { // at once, or after a varying time
			_, _ = c.Cancel(id)
		}
	}
	for _, id := range slices.Backward(ids) {
		if a, err := c.Cancel(id); err != nil || a.Status != 202 && a.Status != 409 {
			t.Errorf("cancel: %d %s %v", a.Status, a.Body, err)
		}
	}
	left := 40
	for _, id := range ids {
		ends[id] = c.End(id)
		if ends[id].Status == "delivered" {
			left--
		}
	}
	c.Settle(ends)
	Until(t, "the stock is as it should be", func() bool { return c.Available(sku) == left })
}

func fiftyOnTen(t *testing.T, w World) {
	c := New(t, w)
	sku := c.Product(10, 0, 0)
	ids := make(chan string, 50)
	for range 50 {
		go func() {
			placed, err := c.As("alice").Place(t.Context(), uuid.NewString(), Wish{SKU: sku}.Order())
			if err != nil {
				t.Error(err)
			}
			ids <- placed.ID
		}()
	}
	ends, counts := map[string]shop.Tracking{}, map[string]int{}
	for range 50 {
		if id := <-ids; id != "" {
			ends[id] = c.End(id)
			counts[ends[id].Status+ends[id].Reason]++
		}
	}
	if counts["delivered"] != 10 || counts["cancelledout_of_stock"] != 40 {
		t.Errorf("ended %v, want 10 delivered and 40 out of stock", counts)
	}
	c.Settle(ends)
}
