package order

import (
	"strings"
	"testing"

	"example.com/orderflow/bff-web/internal/orders"
	"example.com/orderflow/pkg/messages"
)

// A page says about the money only what is known of it, regardless of who has cancelled the order.
func TestAPageSaysNoMoreOfTheMoneyThanIsKnown(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ status, reason, payment, says string }{
		{"cancelled", "operator_request", "", "The shop has cancelled it. Nothing was charged."},
		{"cancelled", "operator_request", "refunded", "The shop has cancelled it. What was charged has been given back."},
		{"cancelled", "customer_request", "", "You asked for it. Nothing was charged."},
		{"cancelled", "customer_request", "declined", "You asked for it. Nothing was charged."},
		{"cancelled", "customer_request", "refunded", "You asked for it. What was charged has been given back."},
		{"withdrawing", "customer_request", "taken", "You asked for it. What was charged is given back once the parcel has been called back."},
		{"refunding", "customer_request", "taken", "You asked for it. What was charged is being given back."},
		{"refunding", "customer_request", "requested", "You asked for it. If anything is charged, it is given back."},
		{"releasing", "expired", "", "It took too long. Nothing was charged."},
		{"cancelled", "expired", "refunded", "It took too long. What was charged has been given back."},
		{"cancelled", "out_of_stock", "", "There was not enough in stock. Nothing was charged."},
		{"releasing", "payment_declined", "declined", "The card was declined. Nothing was charged."},
		{"releasing", "payment_returned", "refunded", "The payment was reversed. What was charged has been given back."},
		{"refunding", "undeliverable", "taken", "The parcel could not be delivered. What was charged is being given back."},
		{"cancelled", "of_a_later_release", "refunded", "What was charged has been given back."},
		{"paid", "", "taken", ""},
		{"delivered", "", "taken", ""},
	} {
		at := orders.Insight{Tracking: orders.Tracking{Status: row.status, Reason: row.reason}}
		if row.payment != "" {
			at.Payment = &struct {
				Status string         `json:"status"`
				Amount messages.Money `json:"amount"`
			}{Status: row.payment}
		}
		o := orders.Order{CustomerID: "alice", Status: row.status, Reason: row.reason}
		if got := account(o, &at, "alice"); got != row.says {
			t.Errorf("%s, %s, payment %q: %q, want %q", row.status, row.reason, row.payment, got, row.says)
		}
		if got := account(o, nil, "alice"); strings.Contains(got, "charged") {
			t.Errorf("nothing is known of the money: %q", got)
		}
	}
	if got := account(orders.Order{CustomerID: "alice", Reason: "customer_request"}, nil, "olga"); got != "The customer asked for it." {
		t.Errorf("olga reads %q", got)
	}
}
