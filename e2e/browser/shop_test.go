package browser

import (
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

func TestAliceBuysAMugAndWatchesItArrive(t *testing.T) {
	t.Parallel()
	p := open(t, wide)
	p.visit("/")
	p.press("Add Stoneware")
	p.visit("/checkout") // redirects to the sign-in page, and back
	p.press("Alice")
	p.sees("Checkout")
	p.press("Place the order")
	p.do(chromedp.Evaluate[chromedp.Void](`window.same = true`))
	for _, stage := range []string{"order placed", "paid, arranging shipment", "dispatched", "in transit", "delivered"} {
		p.sees(stage)
	}
	p.becomes("Delivered")
	if !get(p, chromedp.Evaluate[bool](`window.same === true`)) {
		t.Error("the page was loaded again: it is not live")
	}
	if n := p.count(".progress .done"); n != 5 {
		t.Errorf("%d of 5 stages are done", n)
	}
	if n := p.count("#facts .danger"); n != 0 {
		t.Error("what was delivered can still be cancelled")
	}
	if p.visit("/cart"); !strings.Contains(p.text("main"), "There is nothing in it yet") {
		t.Error("the cart is not empty after the order")
	}
}

func TestADoubleClickMakesOneOrder(t *testing.T) {
	t.Parallel()
	c := beside(t)
	sku := c.Product(5, 0, 0)
	p := open(t, wide)
	p.signIn("Bob", "/")
	p.carry(sku)
	p.visit("/checkout")
	// The same form twice, as two clicks on a slow connection send it.
	one := get(p, chromedp.Evaluate[bool](`(async () => {
		const form = new URLSearchParams(new FormData(document.querySelector("form.columns")));
		const send = () => fetch("/checkout", {method: "POST", body: form}).then(a => a.url);
		const [one, two] = await Promise.all([send(), send()]);
		return one === two && one.includes("/orders/");
	})()`, chromedp.EvalAwaitPromise))
	if !one {
		t.Error("the two forms led to different pages")
	}
	var made struct{ Items []struct{} }
	c.Must(http.StatusOK, "olga", http.MethodGet, "/api/operations/orders?sku="+sku, "").Into(c, &made)
	if n := len(made.Items); n != 1 {
		t.Errorf("%d orders, want 1", n)
	}
}

func TestAnOrderIsCancelledInTime(t *testing.T) {
	t.Parallel()
	p := open(t, wide)
	p.signIn("Alice", "/")
	for try := 1; ; try++ { // the carrier may be faster on a busy machine
		p.buy("", "tok_visa")
		p.sees("paid, arranging shipment")
		// A script finds the button and presses it in one step, because it may disappear at any moment.
		p.do(chromedp.Evaluate[chromedp.Void](`document.querySelector('form[action$="/cancellation"] button')?.click()`))
		p.holds("the order is at its end", `["Cancelled", "Delivered"].includes(document.querySelector("#progress .badge").innerText)`)
		if p.text("#progress .badge") == "Cancelled" {
			break
		}
		if try == 5 {
			t.Fatal("five times it was too late")
		}
	}
	p.sees("You asked for it.")
	p.sees("Refunded")
}

func TestADeclinedCardIsExplained(t *testing.T) {
	t.Parallel()
	p := open(t, wide)
	p.signIn("Alice", "/")
	p.buy("", "tok_declined")
	p.becomes("Cancelled")
	p.sees("The card was declined. Nothing was charged.")
}

func TestASignedOutCustomerSeesNothingOfTheirs(t *testing.T) {
	t.Parallel()
	p := open(t, wide)
	p.signIn("Alice", "/")
	p.buy("", "tok_visa")
	mine := p.path()
	p.press("Sign out")
	p.sees("You have signed out.")
	if p.visit(mine); p.path() != "/sign-in" {
		t.Errorf("%s is shown to a stranger", mine)
	}
	p.press("Bob")
	p.sees("There is nothing here")
	p.forgive("404")
	if cookies := get(p, chromedp.Evaluate[string](`document.cookie`)); cookies != "" {
		t.Errorf("a script can read %s", cookies)
	}
}

func TestWithoutJavaScriptEverythingWorksByLoadingThePageAgain(t *testing.T) {
	t.Parallel()
	p := open(t, phone)
	p.withoutScript()
	click := func(selector, then string) {
		t.Helper()
		p.do(chromedp.Click(chromedp.CSS(selector)), chromedp.WaitVisible(chromedp.CSS(then)))
	}
	p.visit("/sign-in")
	click(`button[value=alice]`, `form[action="/sign-out"]`)
	click(`form[action="/cart"] button`, `.notice`)
	p.visit("/checkout")
	click(`form[action="/checkout"] button`, `.timeline`)
	where := get(p, chromedp.Location())
	p.until("it is delivered", func() bool {
		p.do(chromedp.Navigate(where))
		return p.text("#progress .badge") == "Delivered"
	})
}
