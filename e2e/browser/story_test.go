package browser

import (
	"testing"
)

// The page behind an order shows each message. A shopper sees the own order's, with nothing about failures in it that is
// internal; an operator sees everybody's.
func TestBehindAnOrderItsMessagesAreSeen(t *testing.T) {
	t.Parallel()
	p := open(t, wide)
	p.signIn("Alice", "/")
	p.buy("", "tok_visa")
	p.becomes("Delivered")
	for _, label := range []string{"POST /api/orders", "reserve_stock", "stock_reserved", "take_payment", "payment_taken", "arrange_shipment", "shipment_delivered", "order_completed"} {
		p.holds(label+" is drawn", drawn(label))
	}
	if n := p.count("#story .gap"); n != 0 {
		t.Errorf("it says that something is missing: %s", p.text("#story"))
	}
	p.press("Every message in full")
	p.holds("the details of a message can be opened", `(() => { const d = [...document.querySelectorAll(".steps details")].find((d) => d.textContent.includes("take_payment")); d.open = true; return d.textContent.includes('"method": "tok_visa"') && d.textContent.includes("Trace id"); })()`)
	order := p.path()

	other := open(t, phone)
	other.signIn("Bob", order)
	other.sees("There is nothing here")
	other.forgive("404")

	olga := open(t, wide)
	olga.signIn("Olga", order)
	olga.sees("Behind order")
	olga.sees("somebody began to look")
}

func TestACompensationIsSeen(t *testing.T) {
	t.Parallel()
	p := open(t, wide)
	p.signIn("Alice", "/")
	p.buy("", "tok_declined")
	p.becomes("Cancelled")
	for _, label := range []string{"payment_declined", "release_stock", "stock_released"} {
		p.holds(label+" is drawn", drawn(label))
	}
	if n := p.count("#story .step.back.command"); n != 1 {
		t.Errorf("%d commands are shown as compensation", n)
	}
}

// drawn is an expression that is true if the diagram has a step with this label.
func drawn(label string) string {
	return `[...document.querySelectorAll("#story .step .label")].some((l) => l.textContent === "` + label + `")`
}
