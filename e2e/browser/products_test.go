package browser

import (
	"net/http"
	"strings"
	"testing"

	"example.com/orderflow/e2e/stories"
	"github.com/chromedp/chromedp"
)

// types replaces the value of an input.
func (p *tab) types(id, value string) {
	p.Helper()
	p.do(chromedp.SetValue(chromedp.CSS("#"+id), value))
}

func TestOlgaAddsChangesAndRetiresAProduct(t *testing.T) {
	t.Parallel()
	c, p := beside(t), open(t, phone)
	p.signIn("Olga", "/operations/stock")
	p.press("New product")
	for id, value := range map[string]string{"sku": "vase-e2e", "name": "Vase of the test", "description": "For one flower.", "price": "20", "reorder_point": "0", "reorder_quantity": "5"} {
		p.types(id, value)
	}
	p.press("Add the product")
	p.sees("what you have decided is saved")
	p.check("light", phone)
	order := func() stories.Answer {
		a, err := c.Call("alice", http.MethodPost, "/api/orders", stories.Wish{SKU: "VASE-E2E"}.JSON(), "Idempotency-Key", "vase", "Expected-Total", "0 XXX")
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	answers := func(what string) {
		t.Helper()
		stories.Until(t, "orders answers "+what, func() bool { return strings.Contains(string(order().Body), what) })
	}
	answers(`"amount":2000`)

	p.types("name", "Vase of Olga")
	c.Must(http.StatusOK, "olga", http.MethodPut, "/api/products/VASE-E2E", price("VASE-E2E", 2500))
	p.press("Save")
	p.sees("somebody else has changed this product")
	p.forgive("412")
	p.sees("Stored now: Thing VASE-E2E")
	p.sees("Stored now: 25.00")
	for _, scheme := range []string{"light", "dark"} {
		p.prefer(scheme)
		p.check(scheme, phone)
	}
	p.press("Save")
	p.sees("what you have decided is saved")
	answers(`"amount":2000`)

	p.do(chromedp.Click(chromedp.CSS(`[name=retired][value=yes]`)))
	p.press("Save")
	p.sees("what you have decided is saved")
	answers("is not sold any more")
	p.visit("/?q=vase")
	p.sees("There is nothing like that")
	p.visit("/operations/stock?q=vase")
	p.sees("Retired")
	p.press("Vase of Olga")
	p.do(chromedp.Click(chromedp.CSS(`[name=retired][value=no]`)))
	p.press("Save")
	p.sees("what you have decided is saved")
	answers(`"amount":2000`)
	stories.Until(t, "the shop has it again", func() bool {
		p.visit("/?q=vase")
		return strings.Contains(p.text("main"), "Vase of Olga")
	})
}
