package e2e

import (
	"net/http"
	"strings"
	"testing"

	"example.com/orderflow/e2e/stories"
	"example.com/orderflow/local/shop"
	"example.com/orderflow/local/system"
)

func TestStories(t *testing.T) {
	t.Parallel()
	stories.Run(t, world(together(t)))
}

func TestCancelledBeforeDispatchIsRefunded(t *testing.T) {
	t.Parallel()
	s := start(t, system.Each(1), map[string][]string{"simulator": {"CARRIER_PACE=10s"}, "orders": settings["orders"]})
	tapped(t, s)
	c := stories.New(t, world(s))
	sku := c.Product(5, 0, 0)
	slow := c.Place(stories.Wish{SKU: sku}) // so slow that each stage of its parcel has a message of its own
	id := c.Place(stories.Wish{SKU: sku})
	c.Reach(id, "paid")
	c.Must(http.StatusAccepted, "alice", http.MethodPost, "/api/orders/"+id+"/cancellation", "")
	end := c.End(id)
	if got, want := strings.Join(stories.Path(end), " "), "placed reserved paid withdrawing refunding releasing cancelled"; got != want || end.Reason != "customer_request" || end.Payment.Status != "refunded" {
		t.Errorf("went %s (%s), payment %+v\nwant %s", got, end.Reason, end.Payment, want)
	}
	delivered := c.End(slow)
	if left := c.Available(sku); left != 4 {
		t.Errorf("%d left, want 4", left)
	}
	c.Settle(map[string]shop.Tracking{id: end, slow: delivered})
	audited(t, s, id, slow)
}
