package browser

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// An operator finds an order by what a customer reads to them, and leaves a note that the customer does not see.
func TestOlgaFindsAnOrderAndLeavesANote(t *testing.T) {
	t.Parallel()
	alice := open(t, phone)
	alice.signIn("Alice", "/")
	alice.buy("", "tok_visa")
	order := alice.path()
	alice.becomes("Delivered") // so that the page does not change while Olga writes
	id := strings.TrimPrefix(order, "/orders/")

	p := open(t, wide)
	p.signIn("Olga", "/operations")
	p.press("Orders")
	p.do(chromedp.SendKeys(chromedp.CSS(`input[name=id]`), strings.ToUpper(id[len(id)-8:])))
	p.press("Show")
	if n := p.count("tbody tr"); n != 1 {
		t.Fatalf("%d orders", n)
	}
	p.press("Order " + strings.ToUpper(id[len(id)-8:]))
	if got := p.text("#order-id"); got != id {
		t.Errorf("the id is %s, want %s", got, id)
	}
	p.holds("the id can be copied", `!document.querySelector("[data-copy]").hidden`)
	p.do(chromedp.SendKeys(chromedp.CSS(`input[name=text]`), "She has called."))
	p.press("Add the note")
	p.sees("note: She has called.")
	alice.visit(order)
	if text := alice.text("main"); strings.Contains(text, "called") {
		t.Errorf("the customer reads %s", text)
	}

	p.visit("/operations/orders?customer_id=alice&status=lost")
	p.sees("status must be")
	p.forgive("400")
	p.visit("/operations")
	p.press("Delivered")
	p.sees("Orders of all customers")
}
