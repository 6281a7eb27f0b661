package main

import (
	"bytes"
	"crypto/sha256"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"example.com/orderflow/pkg/postgres"
	"example.com/orderflow/pkg/unit"
)

// Two requests with the same content have the same fingerprint, whatever orders does with the content afterwards.
func TestARequestIsKnownAgainAsItWasSent(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.stock("MUG-BLUE")
	untidy := strings.NewReplacer("Alice", ` Zoe\u0308\u200b `, "Berlin", `\u00a0Köln`).Replace(goodOrder)
	var first, again orderBody
	f.call(http.MethodPost, "/api/orders", untidy, f.as("alice"), header("Idempotency-Key", "untidy")).into(t, &first)
	a := f.call(http.MethodPost, "/api/orders", untidy, f.as("alice"), header("Idempotency-Key", "untidy"))
	if a.into(t, &again); a.status != http.StatusAccepted || first.ID != again.ID {
		t.Errorf("%d %s", a.status, a.body)
	}
	if kept := first.ShippingAddress; kept.Name != "Zoë" || kept.City != "Köln" {
		t.Errorf("kept as %+q", kept)
	}
}

// fingerprinted is the JSON that every release computes goodOrder's fingerprint from. New fields that were not sent are not in
// it.
const fingerprinted = `{"lines":[{"sku":"MUG-BLUE","quantity":2}],"payment_method":"tok_visa",` +
	`"shipping_address":{"name":"Alice","street":"1 Main St","city":"Berlin","postal_code":"10115","country":"DE"},"allow_backorder":false}`

func TestAKeyOfAnotherReleaseIsKnown(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.stock("MUG-BLUE")
	p, err := readPlacing(goodOrder)
	if err != nil {
		t.Fatal(err)
	}
	want := sha256.Sum256([]byte(fingerprinted))
	if got, err := fingerprint(p); err != nil || !bytes.Equal(got, want[:]) {
		t.Errorf("a release that runs beside this one does not know it: %v", err)
	}
	// A key that an earlier release has stored, for an order that this release would not accept.
	blank := strings.Replace(fingerprinted, "Alice", " ", 1)
	sum := sha256.Sum256([]byte(blank))
	kept := remembered{CustomerID: "alice", Key: "theirs", Fingerprint: sum[:], OrderID: uuid.NewString(), Answer: []byte(`{"id":"theirs"}`)}
	if err := f.db.Tx(t.Context(), func(tx *postgres.Tx) error {
		var keys unit.Rows[string, remembered]
		keys.Put("theirs", kept)
		insertRemembered(tx, &keys)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	a := f.call(http.MethodPost, "/api/orders", strings.Replace(goodOrder, "Alice", " ", 1), f.as("alice"), header("Idempotency-Key", "theirs"))
	if a.status != http.StatusAccepted || string(a.body) != `{"id":"theirs"}` {
		t.Errorf("%d %s", a.status, a.body)
	}
}

// The number of a card is stored and shown nowhere: not in a table, a message, a log line or an answer.
func TestANumberOfACardComesInNowhere(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.stock("MUG-BLUE")
	for name, body := range map[string]string{
		"as the method":        strings.Replace(goodOrder, "tok_visa", "4111111111111111", 1),
		"with blanks":          strings.Replace(goodOrder, "tok_visa", "4111 1111 1111 1111", 1),
		"with hyphens":         strings.Replace(goodOrder, "tok_visa", "4111-1111-1111-1111", 1),
		"with what is unseen":  strings.Replace(goodOrder, "tok_visa", `4111\u200b111111111111`, 1),
		"in wide digits":       strings.Replace(goodOrder, "tok_visa", "４１１１１１１１１１１１１１１１", 1),
		"as a number":          strings.Replace(goodOrder, `"tok_visa"`, "4111111111111111", 1),
		"in the street":        strings.Replace(goodOrder, "1 Main St", "1 Main St, 4111 1111 1111 1111", 1),
		"in the name":          strings.Replace(goodOrder, "Alice", "Alice 4111111111111111", 1),
		"as a SKU":             strings.Replace(goodOrder, "MUG-BLUE", "4111111111111111", 1),
		"as a country":         strings.Replace(goodOrder, `"DE"`, `"4111111111111111"`, 1),
		"as a quantity":        strings.Replace(goodOrder, `"quantity":2`, `"quantity":4111111111111111`, 1),
		"as a member":          strings.Replace(goodOrder, `{"lines"`, `{"4111111111111111":1,"lines"`, 1),
		"in what is no JSON":   strings.Replace(goodOrder, `"tok_visa"`, "4111111111111111x", 1),
		"as a member, as text": strings.Replace(goodOrder, `"payment_method"`, `"card":"4111111111111111","payment_method"`, 1),
	} {
		a := f.call(http.MethodPost, "/api/orders", body, f.as("alice"), header("Idempotency-Key", "card"))
		if a.status != http.StatusUnprocessableEntity && a.status != http.StatusBadRequest || strings.Contains(string(a.body), "4111") {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
	}
	var rows int
	if err := f.db.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM orders) + (SELECT count(*) FROM idempotency_keys) + (SELECT count(*) FROM outbox)`).Scan(&rows); err != nil || rows != 0 {
		t.Errorf("%d rows are kept, %v", rows, err)
	}
	if a := f.call(http.MethodPost, "/api/orders", strings.Replace(goodOrder, "1 Main St", "Postfach 12 34 56, 10115", 1), f.as("alice"), header("Idempotency-Key", "card")); a.status != http.StatusAccepted {
		t.Errorf("digits of another kind: %d %s", a.status, a.body)
	}
}
