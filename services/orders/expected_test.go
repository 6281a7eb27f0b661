package main

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"example.com/orderflow/pkg/fault"
	"example.com/orderflow/pkg/messages"
	"example.com/orderflow/pkg/web"
)

// told is what a client program reads in one of our problem documents.
type told struct {
	Type  string            `json:"type"`
	Total messages.Money    `json:"total"`
	Links map[string]string `json:"links"`
}

func TestAnOrderCostsWhatItsCustomerExpectsOrIsNone(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.stock("MUG-BLUE")
	order := func(key, expected string) answer {
		options := []option{f.as("alice"), header("Idempotency-Key", key)}
		if expected != "" {
			options = append(options, header("Expected-Total", expected))
		}
		return f.call(http.MethodPost, "/api/orders", goodOrder, options...)
	}
	first := order("k1", "2598 EUR")
	if first.status != http.StatusAccepted {
		t.Fatalf("at the expected price: %d %s", first.status, first.body)
	}
	f.receive(messages.ProductChanged{SKU: "MUG-BLUE", Version: 2, Name: "Mug", Price: messages.Money{Amount: 9900, Currency: "EUR"}})
	for _, expected := range []string{"2598 EUR", "19800 USD", "0 XXX", "19799 EUR"} {
		a := order("k2", expected)
		var p told
		if a.into(t, &p); a.status != http.StatusConflict || p.Type != web.ProblemPath+"total-changed" || p.Total != (messages.Money{Amount: 19800, Currency: "EUR"}) {
			t.Errorf("expected %s: %d %s", expected, a.status, a.body)
		}
	}
	// The key has not been used up, and a request without an expectation accepts any price.
	if a := order("k2", "19800 EUR"); a.status != http.StatusAccepted {
		t.Errorf("at the new price: %d %s", a.status, a.body)
	}
	if a := order("k3", ""); a.status != http.StatusAccepted {
		t.Errorf("without an expectation: %d %s", a.status, a.body)
	}
	// An order that exists stays as it is, whatever total a repeated request expects.
	for _, expected := range []string{"2598 EUR", "19800 EUR", ""} {
		if a := order("k1", expected); a.status != http.StatusAccepted || string(a.body) != string(first.body) {
			t.Errorf("again, expecting %q: %d %s", expected, a.status, a.body)
		}
	}
	for _, expected := range []string{"2598", "EUR 2598", "-1 EUR", "1.5 EUR", "2598  EUR", "2598 eur", "9999999999999999999 EUR", " "} {
		if a := order("k4", expected); a.status != http.StatusBadRequest {
			t.Errorf("expecting %q: %d %s", expected, a.status, a.body)
		}
	}
	twice := func(r *http.Request) { r.Header["Expected-Total"] = []string{"2598 EUR", "19800 EUR"} }
	if a := f.call(http.MethodPost, "/api/orders", goodOrder, f.as("alice"), header("Idempotency-Key", "k4"), twice); a.status != http.StatusBadRequest {
		t.Errorf("two expectations: %d %s", a.status, a.body)
	}
}

func TestAKeyThatHasMadeAnotherOrderLeadsToIt(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.stock("MUG-BLUE")
	first := f.call(http.MethodPost, "/api/orders", goodOrder, f.as("alice"), header("Idempotency-Key", "k1"))
	for name, changed := range map[string]string{
		"another card":           strings.Replace(goodOrder, "tok_visa", "tok_flaky", 1),
		"what is sold no longer": strings.Replace(goodOrder, "MUG-BLUE", "GONE", 1),
	} {
		a := f.call(http.MethodPost, "/api/orders", changed, f.as("alice"), header("Idempotency-Key", "k1"), header("Expected-Total", "1 EUR"))
		var p told
		a.into(t, &p)
		where := first.header.Get("Location")
		if a.status != http.StatusUnprocessableEntity || p.Type != web.ProblemPath+"key-reused" || p.Links["order"] != where || a.header.Get("Location") != where {
			t.Errorf("%s: %d %v %s, want %s", name, a.status, a.header, a.body, where)
		}
	}
}

// An expectation that is accepted is exactly the one that was sent, whatever text a client sends.
func FuzzExpectedTotal(f *testing.F) {
	for _, text := range []string{"2598 EUR", "0 XXX", "999999999999999999 EUR", "9999999999999999999 EUR", "+1 EUR", "1\t EUR", "٣ EUR"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		m, err := expectedTotal(&http.Request{Header: http.Header{"Expected-Total": {text}}})
		if err != nil {
			if fault.KindOf(err) != fault.Malformed {
				t.Errorf("%q: %v", text, err)
			}
			return
		}
		if again := fmt.Sprintf("%d %s", m.Amount, m.Currency); m.Amount < 0 || strings.TrimLeft(text, "0") != strings.TrimLeft(again, "0") {
			t.Errorf("%q is read as %s", text, again)
		}
	})
}
