package operator

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"example.com/orderflow/e2e/stories"
	"example.com/orderflow/local/audit"
)

// Actions of people at the provider and at the carrier, outside the system, block no order for ever, and no money is lost. An
// operator settles the orders that the outside systems will not settle.
func TestManualActionsOutsideBlockNoOrder(t *testing.T) {
	t.Parallel()
	o := open(t, map[string][]string{
		"simulator": {"CARRIER_PACE=1h"},
		"orders":    {"STEP_TIMEOUT=10s", "LONGEST_TIMEOUT=20s", "TIMEOUT_TRIES=3"},
	})
	sku := o.Product(10, 0, 0)
	whole, part, parcel, stuck := o.paid(sku), o.paid(sku), o.paid(sku), o.paid(sku)
	orders := []string{whole, part, parcel, stuck}

	price := o.Track(whole).Payment.Amount.Amount
	o.giveBack(whole, price)
	o.giveBack(part, 100)
	o.Must(http.StatusAccepted, "alice", http.MethodPost, "/api/orders/"+whole+"/cancellation", "")
	o.Must(http.StatusAccepted, "olga", http.MethodPost, "/api/orders/"+part+"/cancellation", `{"reason":"the shelf is broken"}`)
	o.outside(http.MethodPost, "/carrier/shipments/"+o.Track(parcel).Shipment.TrackingNumber+"/cancellation", "", "")

	for order, reason := range map[string]string{whole: "customer_request", part: "operator_request", parcel: "undeliverable"} {
		if end := o.End(order); end.Status != "cancelled" || end.Reason != reason || end.Payment.Status != "refunded" || end.Payment.Amount.Amount != price {
			t.Errorf("order %s is %s (%s), payment %+v, want it cancelled (%s)", order, end.Status, end.Reason, end.Payment, reason)
		}
	}

	o.faults(`{"provider":{"error_rate":1}}`)
	o.giveUp(stuck, "refunding")
	o.shown(map[string]string{stuck: "refunding customer_request payments.refund_payment"})
	o.Must(http.StatusOK, "olga", http.MethodPost, "/api/payments/"+stuck+"/settlement", `{"reason":"repaid by bank transfer"}`)
	if end := o.End(stuck); end.Status != "cancelled" || end.Payment.Status != "refunded" {
		t.Errorf("settled, and %s, %+v", end.Status, end.Payment)
	}
	if timeline := string(o.Must(http.StatusOK, "olga", http.MethodGet, "/api/orders/"+stuck+"/tracking", "").Body); !strings.Contains(timeline, `"operator":"olga","reason":"repaid by bank transfer"`) {
		t.Errorf("olga is shown %s", timeline)
	}
	if timeline := string(o.Must(http.StatusOK, "alice", http.MethodGet, "/api/orders/"+stuck+"/tracking", "").Body); strings.Contains(timeline, "olga") {
		t.Errorf("alice is shown %s", timeline)
	}
	o.faults(`{}`)
	if left := o.Available(sku); left != 10 {
		t.Errorf("%d left of 10", left)
	}

	report, err := audit.Await(t.Context(), audit.Of(o.System, repo), audit.Expectations{Accepted: orders}, 90*time.Second)
	if err != nil || !report.OK() {
		t.Fatal(err, report.Err())
	}
	listed := map[string]int{}
	for _, action := range report.ByHand {
		listed[action.Subject]++
	}
	if len(report.ByHand) != 3 || listed[whole] != 1 || listed[part] != 1 || listed[stuck] != 1 {
		t.Errorf("by hand: %+v", report.ByHand)
	}
}

// giveBack is a refund by a person at the provider.
func (o office) giveBack(order string, amount int64) {
	o.Helper()
	o.outside(http.MethodPost, "/provider/refunds", "by hand "+order, fmt.Sprintf(`{"charge_key":%q,"amount":%d,"currency":"EUR"}`, order, amount))
}

// outside calls an outside system as one of its own people would.
func (o office) outside(method, path, key, body string) {
	o.Helper()
	if a, err := stories.Send(o.Context(), method, o.SimulatorURL+path, body, "Idempotency-Key", key); err != nil || a.Status >= 300 {
		o.Fatalf("%s: %v %d %s", path, err, a.Status, a.Body)
	}
}
