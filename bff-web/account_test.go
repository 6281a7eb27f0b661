package main

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

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
		at := insight{tracking: tracking{Status: row.status, Reason: row.reason}}
		if row.payment != "" {
			at.Payment = &struct {
				Status string         `json:"status"`
				Amount messages.Money `json:"amount"`
			}{Status: row.payment}
		}
		o := order{CustomerID: "alice", Status: row.status, Reason: row.reason}
		if got := account(o, &at, "alice"); got != row.says {
			t.Errorf("%s, %s, payment %q: %q, want %q", row.status, row.reason, row.payment, got, row.says)
		}
		if got := account(o, nil, "alice"); strings.Contains(got, "charged") {
			t.Errorf("nothing is known of the money: %q", got)
		}
	}
	if got := account(order{CustomerID: "alice", Reason: "customer_request"}, nil, "olga"); got != "The customer asked for it." {
		t.Errorf("olga reads %q", got)
	}
}

func TestAnOperatorSeesWhoDidWhatAndSettles(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	const turned = `{"order_id":"1","status":"refunding","reason":"operator_request","timeline":[{"seq":1,"at":"2026-01-01T10:00:00Z","status":"placed","what":"order placed"},
		{"seq":2,"at":"2026-01-01T10:00:01Z","status":"refunding","what":"cancellation requested by the shop","operator":"oscar","reason":"the shelf is broken"}],
		"payment":{"status":"taken","amount":{"amount":2598,"currency":"EUR"}},"shipment":null}`
	f.answer("orders", has(map[string]http.HandlerFunc{
		"/api/orders/1": says(200, oneOrder), "/api/orders/1/tracking": says(200, turned), "/api/orders/1/cancellation": says(202, oneOrder),
	}))
	f.answer("payments", says(200, `{"status":"refunding","attempts":9,"last_error":"it does not know the charge","next_attempt_at":"2026-01-01T10:00:01Z"}`))
	f.answer("shipping", says(200, `{"status":"arranged","tracking_number":"S1","attempts":9,"next_attempt_at":"2026-01-01T10:00:01Z"}`))
	olga := f.as("olga")
	olga.loads(200, "/orders/1", "The shop has cancelled it. What was charged is being given back.", "by oscar: the shelf is broken",
		"Settle the payment", "Settle the shipment", `<option value="delivered">`, "Reason, for operators", "<dt>Parcel</dt><dd>None</dd>")
	if page := f.as("alice").loads(200, "/orders/1"); strings.Contains(page, "Settle") || strings.Contains(page, "Reason, for") {
		t.Errorf("alice sees\n%s", page)
	}
	f.answer("payments", says(200, `{"status":"refunding","attempts":0}`))
	if page := olga.loads(200, "/orders/1"); strings.Contains(page, "Settle the payment") {
		t.Error("what has not failed can be settled")
	}

	for _, form := range []struct{ to, path, sent string }{
		{"payments", "/orders/1/settlement?what=payment&reason=repaid", `{"reason":"repaid"}`},
		{"shipping", "/orders/1/settlement?what=shipment&outcome=failed&reason=lost", `{"outcome":"failed","reason":"lost"}`},
		{"orders", "/orders/1/cancellation?reason=broken", `{"reason":"broken"}`},
		{"orders", "/orders/1/cancellation?reason=", ``},
	} {
		path, query, _ := strings.Cut(form.path, "?")
		var sent string
		f.answer(form.to, func(w http.ResponseWriter, r *http.Request) {
			body := make([]byte, 100)
			n, _ := r.Body.Read(body)
			sent = fmt.Sprintf("%s %s", r.URL.Path, body[:n])
			says(200, `{}`)(w, r)
		})
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		answer, _ := olga.send(http.MethodPost, path, values)
		if answer.StatusCode != http.StatusSeeOther || answer.Header.Get("Location") != "/orders/1" || !strings.HasSuffix(sent, form.sent) {
			t.Errorf("%s: %s, sent %s", form.path, answer.Status, sent)
		}
	}
	if answer, _ := f.as("alice").send(http.MethodPost, "/orders/1/settlement", url.Values{"what": {"payment"}, "reason": {"because"}}); answer.StatusCode != http.StatusForbidden {
		t.Errorf("alice settles: %s", answer.Status)
	}
}
