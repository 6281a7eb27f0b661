package e2e

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"example.com/orderflow/e2e/stories"
	"example.com/orderflow/local/system"
)

// The shop knows of the courier only what the carrier answers when it is asked. The pace is far shorter than the waits in between,
// so a parcel that is not held would have gone on.
func TestTheShopFollowsParcelsThatACourierMovesByHand(t *testing.T) {
	t.Parallel()
	s := start(t, system.Each(1), settings)
	tapped(t, s) // some messages are sent for certain only here: all others depend on who is faster
	c := stories.New(t, world(s))
	sku := c.Product(10, 0, 0)
	c.Must(http.StatusOK, "carl", http.MethodPut, "/api/parcels/hands", `{"holding":true}`)
	first, second := c.Place(stories.Wish{SKU: sku}), c.Place(stories.Wish{SKU: sku})
	number := func(id string) (number string) {
		stories.Until(t, "the parcel is arranged", func() bool {
			var shipment struct {
				TrackingNumber string `json:"tracking_number"`
			}
			a, err := c.Call("olga", http.MethodGet, "/api/shipments/"+id, "")
			if err != nil || a.Status != http.StatusOK {
				return false
			}
			a.Into(t, &shipment)
			number = shipment.TrackingNumber
			return number != ""
		})
		return number
	}
	note := func(number, stage string) {
		t.Helper()
		for range 2 { // a second time changes nothing
			c.Must(http.StatusOK, "carl", http.MethodPost, "/api/parcels/"+number+"/stages", `{"stage":"`+stage+`"}`)
		}
	}
	held := func(id string, want ...string) {
		t.Helper()
		if got := stories.Path(c.Track(id)); !slices.Equal(got, want) {
			t.Errorf("it went %v, want %v", got, want)
		}
	}
	one, other := number(first), number(second)
	note(one, "dispatched")
	c.Reach(first, "shipped")
	held(second, "placed", "reserved", "paid")

	simulator := s.Program("simulator", 1)
	simulator.Kill()
	if err := simulator.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	note(one, "delivered")
	if end := c.End(first); end.Status != "delivered" {
		t.Errorf("%+v", end)
	}
	held(second, "placed", "reserved", "paid")
	note(other, "failed")
	lost := c.End(second)
	if got := strings.Join(stories.Path(lost), " "); got != "placed reserved paid refunding releasing cancelled" || lost.Payment.Status != "refunded" {
		t.Errorf("the lost one went %s, payment %+v", got, lost.Payment)
	}
	inTime, late := c.Place(stories.Wish{SKU: sku}), c.Place(stories.Wish{SKU: sku})
	number(inTime)
	leaving := number(late)
	cancel := func(id string) {
		t.Helper()
		c.Must(http.StatusAccepted, "alice", http.MethodPost, "/api/orders/"+id+"/cancellation", "")
	}
	c.Reach(inTime, "paid")
	cancel(inTime)
	if got := strings.Join(stories.Path(c.End(inTime)), " "); got != "placed reserved paid withdrawing refunding releasing cancelled" {
		t.Errorf("the one that was called back went %s", got)
	}
	shipping := s.Program("shipping", 1) // learns of the dispatch only after the cancellation
	if err := shipping.Stop(); err != nil {
		t.Fatal(err)
	}
	note(leaving, "dispatched")
	cancel(late)
	if err := shipping.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	c.Reach(late, "shipped")
	note(leaving, "delivered")
	if got := strings.Join(stories.Path(c.End(late)), " "); got != "placed reserved paid withdrawing shipped delivered" {
		t.Errorf("the one that was cancelled too late went %s", got)
	}
	c.Must(http.StatusOK, "carl", http.MethodPut, "/api/parcels/hands", `{"holding":false}`)
	third := c.Place(stories.Wish{SKU: sku})
	if end := c.End(third); end.Status != "delivered" {
		t.Errorf("%+v", end)
	}
	c.Must(http.StatusForbidden, "olga", http.MethodGet, "/api/parcels", "")
	c.Must(http.StatusForbidden, "carl", http.MethodGet, "/api/orders/"+first, "")
	audited(t, s, first, second, inTime, late, third)
}
