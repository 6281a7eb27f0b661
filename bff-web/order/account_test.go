package order_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"example.com/orderflow/bff-web/app/apptest"
)

func TestAnOperatorSeesWhoDidWhatAndSettles(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	const turned = `{"order_id":"1","status":"refunding","reason":"operator_request","timeline":[{"seq":1,"at":"2026-01-01T10:00:00Z","status":"placed","what":"order placed"},
		{"seq":2,"at":"2026-01-01T10:00:01Z","status":"refunding","what":"cancellation requested by the shop","operator":"oscar","why":"the shelf is broken"}],
		"payment":{"status":"taken","amount":{"amount":2598,"currency":"EUR"}},"shipment":null}`
	f.Answer("orders", apptest.Has(map[string]http.HandlerFunc{
		"/api/orders/1": apptest.Says(200, apptest.OneOrder), "/api/orders/1/tracking": apptest.Says(200, turned), "/api/orders/1/cancellation": apptest.Says(202, apptest.OneOrder),
	}))
	f.Answer("payments", apptest.Says(200, `{"status":"refunding","attempts":9,"last_error":"it does not know the charge","next_attempt_at":"2026-01-01T10:00:01Z"}`))
	f.Answer("shipping", apptest.Says(200, `{"status":"arranged","tracking_number":"S1","attempts":9,"next_attempt_at":"2026-01-01T10:00:01Z"}`))
	olga := f.As("olga")
	olga.Loads(200, "/orders/1", "The shop has cancelled it. What was charged is being given back.", "by oscar: the shelf is broken",
		"Settle the payment", "Settle the shipment", `<option value="delivered">`, "Reason, for operators", "<dt>Parcel</dt><dd>None</dd>")
	if page := f.As("alice").Loads(200, "/orders/1"); strings.Contains(page, "Settle") || strings.Contains(page, "Reason, for") {
		t.Errorf("alice sees\n%s", page)
	}
	f.Answer("payments", apptest.Says(200, `{"status":"refunding","attempts":0}`))
	if page := olga.Loads(200, "/orders/1"); strings.Contains(page, "Settle the payment") {
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
		f.Answer(form.to, func(w http.ResponseWriter, r *http.Request) {
			body := make([]byte, 100)
			n, _ := r.Body.Read(body)
			sent = fmt.Sprintf("%s %s", r.URL.Path, body[:n])
			apptest.Says(200, `{}`)(w, r)
		})
		values, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		answer, _ := olga.Send(http.MethodPost, path, values)
		if answer.StatusCode != http.StatusSeeOther || answer.Header.Get("Location") != "/orders/1" || !strings.HasSuffix(sent, form.sent) {
			t.Errorf("%s: %s, sent %s", form.path, answer.Status, sent)
		}
	}
	if answer, _ := f.As("alice").Send(http.MethodPost, "/orders/1/settlement", url.Values{"what": {"payment"}, "reason": {"because"}}); answer.StatusCode != http.StatusForbidden {
		t.Errorf("alice settles: %s", answer.Status)
	}
}
