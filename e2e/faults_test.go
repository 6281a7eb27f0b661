package e2e

import (
	"maps"
	"slices"
	"testing"
	"time"

	"example.com/orderflow/e2e/stories"
	"example.com/orderflow/local/shop"
	"example.com/orderflow/local/system"
)

// Orders are accepted while an upstream or the broker is away, and go on once it is back.
func TestOrdersAreAcceptedWhileOthersAreAwayAndGoOnAfterwards(t *testing.T) {
	t.Parallel()
	s := start(t, system.Each(1), settings)
	c := stories.New(t, world(s))
	sku := c.Product(100, 0, 0)
	ends := map[string]shop.Tracking{}
	for _, name := range []string{"payments", "shipping", "inventory", "rabbitmq"} {
		for _, p := range s.Named(name) {
			if err := p.Stop(); err != nil {
				t.Fatal(err)
			}
		}
		id := c.Place(stories.Wish{SKU: sku})
		if name == "payments" {
			c.Reach(id, "reserved")
		}
		for _, p := range s.Named(name) {
			if err := p.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		ends[id] = c.End(id)
		if ends[id].Status != "delivered" {
			t.Errorf("without %s: %s (%s)", name, ends[id].Status, ends[id].Reason)
		}
	}
	c.Settle(ends)
	audited(t, s, slices.Collect(maps.Keys(ends))...)
}

// Under load each program is killed or stopped, one after another, and the servers are restarted. Every accepted order ends
// as it should.
func TestNothingIsLostOrChargedTwiceWhateverIsKilled(t *testing.T) {
	t.Parallel()
	s := start(t, system.Each(2), settings)
	load := stories.New(t, world(s)).StartLoad()
	for round, p := range s.Parts() {
		if round%2 == 0 {
			p.Kill()
		} else if err := p.Stop(); err != nil {
			t.Errorf("%s did not stop as it should: %v", p.Name, err)
		}
		time.Sleep(300 * time.Millisecond) // away for a moment while orders come in
		if err := p.Start(t.Context()); err != nil {
			t.Fatalf("start %s again: %v", p.Name, err)
		}
	}
	if n := load.Finish(); n < 50 {
		t.Errorf("only %d orders were accepted: that is no load", n)
	}
	audited(t, s, load.Accepted()...)
}
