package stories

import (
	"fmt"
	"net/http"

	"example.com/orderflow/local/shop"
)

// entry is a line of the simulated provider's ledger.
type entry struct {
	Seq       int
	Kind, Key string
	ChargeKey string `json:"charge_key"`
	Amount    int64
}

// ledger reads the provider's ledger directly.
func (c *Client) ledger() []entry {
	c.Helper()
	var all []entry
	for after := 0; ; {
		a, err := Send(c.Context(), http.MethodGet, fmt.Sprintf("%s/provider/ledger?after=%d", c.Simulator, after), "")
		if err != nil {
			c.Fatal(err)
		}
		var page struct{ Items []entry }
		a.Into(c, &page)
		if len(page.Items) == 0 {
			return all
		}
		all, after = append(all, page.Items...), page.Items[len(page.Items)-1].Seq
	}
}

// Settle compares the provider's ledger with the ends of orders: delivered is charged once, cancelled costs nothing.
func (c *Client) Settle(ends map[string]shop.Tracking) {
	c.Helper()
	charges, net := map[string]int{}, map[string]int64{}
	for _, e := range c.ledger() {
		switch e.Kind {
		case "charge":
			charges[e.Key]++
			net[e.Key] += e.Amount
		case "refund":
			net[e.ChargeKey] -= e.Amount
		}
	}
	for id, end := range ends {
		switch {
		case charges[id] > 1:
			c.Errorf("order %s was charged %d times", id, charges[id])
		case end.Status == "delivered" && (charges[id] != 1 || net[id] <= 0):
			c.Errorf("order %s was delivered for %d", id, net[id])
		case end.Status == "cancelled" && net[id] != 0:
			c.Errorf("order %s was cancelled (%s) and cost %d", id, end.Reason, net[id])
		}
	}
}
