package browser

import (
	"net/http"
	"testing"

	"github.com/chromedp/chromedp"
)

// number returns the tracking number on the page of an order.
func (p *tab) number() string {
	p.Helper()
	const find = `(document.body.innerText.match(/SP[A-Z0-9]{16}/) || [""])[0]`
	p.holds("the parcel has a number", find+` !== ""`)
	return get(p, chromedp.Evaluate[string](find))
}

// does presses a button of a parcel on the courier's page.
func (p *tab) does(what, number string) {
	p.Helper()
	p.holds("the parcel is on the page", `document.getElementById("`+number+`") !== null`)
	p.press(what + " " + number)
}

// The courier holds the parcels of all tests, so this test ends before the parallel ones go on.
func TestCarlHoldsParcelsAndMovesThemByHand(t *testing.T) {
	t.Cleanup(func() {
		beside(t).Must(http.StatusOK, "carl", http.MethodPut, "/api/parcels/hands", `{"holding":false}`)
	})
	carl, alice := open(t, phone), open(t, wide)
	carl.signIn("Carl", "/courier")
	carl.press("I do it by hand")
	carl.sees("You move the parcels")

	alice.signIn("Alice", "/")
	alice.buy("Stoneware", "tok_visa")
	alice.becomes("Paid")
	order, number := alice.path(), alice.number()
	carl.does("Dispatch", number) // his page has found it by itself
	carl.sees("The parcel " + number + " is on its way")
	alice.becomes("On its way")

	alice.buy("Stoneware", "tok_visa")
	other := alice.number()
	carl.holds("both parcels are on the page", `document.querySelectorAll("#parcels .row").length >= 2`)
	for _, width := range []int64{wide, phone} {
		carl.do(chromedp.EmulateViewport(width, 900))
		for _, scheme := range []string{"light", "dark"} {
			carl.prefer(scheme)
			carl.check(scheme, width)
		}
	}
	carl.withoutScript()
	carl.visit("/courier")
	carl.do(chromedp.Click(chromedp.CSS(`#` + other + ` [value="failed"]`)))
	alice.becomes("Cancelled")
	carl.do(chromedp.WaitVisible(chromedp.CSS(`.notice`)))
	carl.do(chromedp.Click(chromedp.CSS(`#` + number + ` [value="delivered"]`)))
	alice.visit(order)
	alice.becomes("Delivered")
	alice.buy("Stoneware", "tok_visa")
	carl.visit("/courier")
	carl.do(chromedp.Click(chromedp.CSS(`#hands button`)))
	alice.becomes("Delivered")
}
