package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"example.com/orderflow/pkg/client"
	"example.com/orderflow/pkg/testkit"
)

// answerWithin is how long a provider may take. It is long, so that only an answer that never comes takes as long on a slow
// machine.
const answerWithin = 3 * time.Second

func httpProviderAt(t *testing.T, url string) *httpProvider {
	return newHTTPProvider(providerSettings{URLs: client.URLs{url}, Timeout: answerWithin, Slots: 8}, testkit.Log(t))
}

// The promises of a provider that payments relies on. The fake must keep them as the real client with a provider does.
func TestAProviderDoesOnceWhatItIsAskedTwiceWithOneKey(t *testing.T) {
	t.Parallel()
	memory, b := newLedger(), newBank(t)
	for what, p := range map[string]provider{"in memory": memory, "over HTTP": httpProviderAt(t, b.URL+"/provider")} {
		giveBack := memory.giveBack
		if p != provider(memory) {
			giveBack = b.giveBack
		}
		good := payment{OrderID: "good", Amount: amount, Method: "tok_visa"}
		bad := payment{OrderID: "bad", Amount: amount, Method: "tok_declined"}
		call := func(call string, want operation, f func(context.Context, payment) (operation, error), of payment) {
			t.Helper()
			if got, err := f(t.Context(), of); err != nil || got != want {
				t.Errorf("%s, %s of %s: %+v, %v, want %+v", what, call, of.OrderID, got, err, want)
			}
		}
		charged := operation{ID: "charge-good", Key: "good", Status: operationSucceeded, Amount: 2598}
		byHand := charged
		byHand.Refunded = 600
		spent := charged
		spent.Refunded, spent.RefundID = 2598, "refund-refund-good-1998"
		repaid := operation{ID: "refund-refund-good-1998", Key: "refund-good-1998", Status: operationSucceeded, Amount: 1998}
		refused := operation{Key: "bad", Status: operationDeclined, Code: "card_declined"}
		call("find no charge", operation{}, p.findCharge, good)
		call("charge", charged, p.charge, good)
		call("charge again", charged, p.charge, good)
		call("find the charge", charged, p.findCharge, good)
		if _, err := giveBack("good", "by hand", 600); err != nil {
			t.Fatal(err)
		}
		call("find it, with what was given back by hand", byHand, p.findCharge, good)
		if _, err := p.refund(t.Context(), good, 1999); err == nil {
			t.Errorf("%s: more is given back than is left", what)
		}
		rest := func(ctx context.Context, of payment) (operation, error) { return p.refund(ctx, of, 1998) }
		call("refund the rest", repaid, rest, good)
		call("refund it again", repaid, rest, good)
		call("find it, given back", spent, p.findCharge, good)
		call("charge in vain", refused, p.charge, bad)
		call("charge in vain again", refused, p.charge, bad)
		call("find the refusal", refused, p.findCharge, bad)
		if _, err := p.refund(t.Context(), bad, 2598); err == nil {
			t.Errorf("%s: what was not charged is given back", what)
		}
	}
}

func TestTheRequestsToTheProvider(t *testing.T) {
	t.Parallel()
	var got []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body strings.Builder
		_ = r.Write(&body)
		_, text, _ := strings.Cut(body.String(), "\r\n\r\n")
		got = append(got, r.Method+" "+r.URL.String()+" "+r.Header.Get("Idempotency-Key")+" "+text)
		_, _ = w.Write([]byte(`{"id":"1","status":"succeeded","items":[{"id":"2","key":"p"},{"id":"3","key":"o","status":"succeeded","amount":2598,"refunded":2598,
			"refunds":[{"id":"4","key":"by hand","amount":600},{"id":"5","key":"refund-o-1998","amount":1998},{"id":"6","key":"refund-oo"}]}]}`))
	}))
	defer server.Close()
	p, of := httpProviderAt(t, server.URL), payment{OrderID: "o", Amount: amount, Method: "tok_visa"}
	refund := func(amount int64) func(context.Context, payment) (operation, error) {
		return func(ctx context.Context, of payment) (operation, error) { return p.refund(ctx, of, amount) }
	}
	for _, f := range []func(context.Context, payment) (operation, error){p.charge, p.findCharge, refund(2598), refund(1998)} {
		if _, err := f(t.Context(), of); err != nil {
			t.Error(err)
		}
	}
	want := []string{
		`POST /charges o {"amount":2598,"currency":"EUR","method":"tok_visa","reference":"o"}`,
		`GET /charges?key=o  `,
		`POST /refunds refund-o {"charge_key":"o","amount":2598,"currency":"EUR"}`,
		`POST /refunds refund-o-1998 {"charge_key":"o","amount":1998,"currency":"EUR"}`,
	}
	for i := range want {
		if strings.TrimSpace(got[i]) != strings.TrimSpace(want[i]) {
			t.Errorf("sent %s\nwant %s", got[i], want[i])
		}
	}
	if d, _ := p.findCharge(t.Context(), of); d.ID != "3" || d.RefundID != "5" || d.left() != 0 {
		t.Errorf("found %+v", d)
	}
}

// The service looks for a charge unless the provider has certainly done nothing.
func TestWhatAnAnswerOfTheProviderMeans(t *testing.T) {
	t.Parallel()
	breaking := func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
	silent := func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // otherwise the server does not notice that the client has gone
		<-r.Context().Done()
	}
	says := func(status int, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			_, _ = w.Write([]byte(body))
		}
	}
	const done, refused, noEffect, unknown = "done", "declined", "no_effect", "unknown"
	for _, row := range []struct {
		what   string
		answer http.HandlerFunc
		means  string
		code   string
	}{
		{"201", says(201, `{"id":"1","status":"succeeded"}`), done, ""},
		{"200", says(200, `{"id":"1","status":"succeeded"}`), done, ""},
		{"200 that says it is declined", says(200, `{"status":"declined","code":"no_funds"}`), refused, "no_funds"},
		{"402 with a code", says(402, `{"code":"no_funds"}`), refused, "no_funds"},
		{"402 without", says(402, ``), refused, "declined"},
		{"402 with a code that no database takes", says(402, `{"code":"no\u0000funds"}`), refused, "no\uFFFDfunds"},
		{"200 that is pending", says(200, `{"id":"1","status":"pending"}`), unknown, ""},
		{"200 that says nothing", says(200, ``), unknown, ""},
		{"200 that cannot be read", says(200, `<html>`), unknown, ""},
		{"409", says(409, `{}`), unknown, ""},
		{"422, which can be about the key", says(422, `{"code":"key_reused"}`), unknown, ""},
		{"401", says(401, `{}`), unknown, ""},
		{"500", says(500, ``), unknown, ""},
		{"504", says(504, ``), unknown, ""},
		{"a broken connection", breaking, unknown, ""},
		{"no answer in time", silent, unknown, ""},
		{"503", says(503, ``), noEffect, ""},
		{"429", says(429, ``), noEffect, ""},
	} {
		t.Run(row.what, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(row.answer)
			defer server.Close()
			defer server.CloseClientConnections()
			p := httpProviderAt(t, server.URL)
			d, err := p.charge(t.Context(), payment{OrderID: "o", Amount: amount, Method: "tok_visa"})
			got := noEffect
			switch {
			case err == nil && d.Status == operationSucceeded:
				got = done
			case err == nil:
				got = d.Status
			case !errors.Is(err, errNoEffect):
				got = unknown
			}
			if got != row.means || d.Code != row.code {
				t.Errorf("means %s (%s), want %s (%s): %v", got, d.Code, row.means, row.code, err)
			}
			if _, err := p.findCharge(t.Context(), payment{OrderID: "o"}); err != nil && !errors.Is(err, errNoEffect) {
				t.Errorf("having looked for a charge has done something: %v", err)
			}
		})
	}
	p := httpProviderAt(t, "http://127.0.0.1:1")
	if _, err := p.charge(t.Context(), payment{OrderID: "o", Amount: amount}); !errors.Is(err, errNoEffect) {
		t.Errorf("a refused connection: %v", err)
	}
}
