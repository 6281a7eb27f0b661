package operator

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"example.com/orderflow/e2e/stories"
	"example.com/orderflow/local/shop"
)

// need is an order that needs attention, as the API shows it.
type need struct {
	OrderID  string `json:"order_id"`
	Status   string
	Reason   string
	Since    time.Time `json:"attention_since"`
	WaitsFor string    `json:"waits_for"`
}

// A compensation cannot itself be compensated. While its cause of failure lasts, the order is shown to the operator, even if all
// services that work on it are killed; when the cause is gone, it continues without the operator.
func TestACompensationThatKeepsFailingIsShownAndFinishesWhenTheCauseIsGone(t *testing.T) {
	t.Parallel()
	o := open(t, map[string][]string{
		"simulator": {"CARRIER_PACE=1h"}, // long enough to cancel the shipment
		"orders":    {"STEP_TIMEOUT=10s", "LONGEST_TIMEOUT=20s", "TIMEOUT_TRIES=3"},
	})
	sku := o.Product(10, 0, 0)
	release, refund, recall := o.paid(sku), o.paid(sku), o.paid(sku)
	orders := []string{release, refund, recall}

	o.sql("inventory", `ALTER TABLE reservations ADD CONSTRAINT nothing_comes_back CHECK (status <> 'released') NOT VALID`)
	o.giveUp(release, "releasing")
	o.faults(`{"provider":{"error_rate":1}}`)
	o.giveUp(refund, "refunding")
	o.faults(`{"provider":{"error_rate":1},"carrier":{"down":true}}`)
	o.giveUp(recall, "withdrawing")

	want := map[string]string{
		release: "releasing customer_request inventory.release_stock",
		refund:  "refunding customer_request payments.refund_payment",
		recall:  "withdrawing customer_request shipping.cancel_shipment",
	}
	since := o.shown(want)
	o.again("orders", "payments", "shipping", "inventory")
	if again := o.shown(want); !maps.Equal(again, since) {
		t.Errorf("in need since %v, and since %v after all were killed", since, again)
	}

	o.sql("inventory", `ALTER TABLE reservations DROP CONSTRAINT nothing_comes_back`)
	o.faults(`{}`)
	ends := map[string]shop.Tracking{}
	for _, id := range orders {
		if ends[id] = o.End(id); ends[id].Status != "cancelled" || ends[id].Reason != "customer_request" {
			t.Errorf("order %s is %s (%s)", id, ends[id].Status, ends[id].Reason)
		}
	}
	o.shown(map[string]string{})

	// The dead letters of commands that failed meanwhile have no effect any more. The operator may replay them without
	// knowing that.
	o.replayAll("inventory.commands")
	for _, id := range orders {
		if end := o.Track(id); len(end.Timeline) != len(ends[id].Timeline) {
			t.Errorf("order %s has gone on after its end: %+v", id, end.Timeline)
		}
	}
	o.audited(orders)
}

// paid places an order and waits until it has a parcel that waits for the carrier.
func (o office) paid(sku string) (order string) {
	o.Helper()
	order = o.Place(stories.Wish{SKU: sku})
	stories.Until(o, order+" has a parcel", func() bool {
		timeline := o.Track(order).Timeline
		return strings.HasPrefix(timeline[len(timeline)-1].What, "shipment arranged")
	})
	return order
}

// giveUp cancels an order and waits until its compensation has come as far as it can.
func (o office) giveUp(order, status string) {
	o.Helper()
	o.Must(http.StatusAccepted, "alice", http.MethodPost, "/api/orders/"+order+"/cancellation", "")
	o.Reach(order, status)
}

// shown waits until exactly these orders are shown to an operator: by the API, the metric for alerts, and the console. It
// returns the times since when they need attention.
func (o office) shown(want map[string]string) (since map[string]time.Time) {
	o.Helper()
	stories.Until(o, fmt.Sprintf("the API shows %v", want), func() bool {
		for order := range want {
			o.hurry(order)
		}
		var page struct{ Items []need }
		a, err := o.Call("olga", http.MethodGet, "/api/operations/attention", "")
		if err != nil || a.Status != http.StatusOK || json.Unmarshal(a.Body, &page) != nil {
			return false // orders has just been restarted
		}
		got := map[string]string{}
		since = map[string]time.Time{}
		for _, n := range page.Items {
			got[n.OrderID], since[n.OrderID] = n.Status+" "+n.Reason+" "+n.WaitsFor, n.Since
		}
		return maps.Equal(got, want)
	})
	stories.Until(o, fmt.Sprintf("each replica of orders counts %d", len(want)), func() bool {
		return !slices.ContainsFunc([]int{1, 2}, func(replica int) bool {
			return !strings.Contains(o.page(http.DefaultClient, o.Program("orders", replica).URL+"/metrics"), fmt.Sprintf("\norders_need_attention %d\n", len(want)))
		})
	})
	olga := o.signIn("olga")
	stories.Until(o, fmt.Sprintf("the console shows %v", want), func() bool {
		console := o.page(olga, o.GatewayURL+"/operations")
		for order, says := range want {
			word := strings.Fields(says)
			_, line, _ := strings.Cut(console, "/orders/"+order)
			line, _, _ = strings.Cut(line, "</li>")
			if !strings.Contains(line, "("+strings.ReplaceAll(word[1], "_", " ")+")") || !strings.Contains(line, "<code>"+word[2]+"</code>") {
				return false
			}
		}
		return len(want) > 0 || strings.Contains(console, "No order waits for longer than it should.")
	})
	return since
}

// signIn returns a browser that is signed in.
func (o office) signIn(who string) *http.Client {
	o.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		o.Fatal(err)
	}
	browser := &http.Client{Jar: jar}
	answer, err := browser.PostForm(o.GatewayURL+"/sign-in", url.Values{"who": {who}})
	if err != nil {
		o.Fatal(err)
	}
	if err := answer.Body.Close(); err != nil || answer.StatusCode != http.StatusOK {
		o.Fatalf("sign in: %s %v", answer.Status, err)
	}
	return browser
}

// page is the body of a page; empty unless the status is 200.
func (o office) page(client *http.Client, address string) string {
	o.Helper()
	answer, err := client.Get(address)
	if err != nil {
		return ""
	}
	defer answer.Body.Close() //nolint:errcheck // read to its end
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		return ""
	}
	return string(text)
}
