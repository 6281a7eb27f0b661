package browser

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"example.com/orderflow/e2e/stories"
	"github.com/chromedp/chromedp"
)

// beside is a client of the API that acts at the same time as the browser.
func beside(t *testing.T) *stories.Client {
	return stories.New(t, stories.World{Gateway: world.GatewayURL})
}

// carry puts two units of a product into the cart, even if the shop's first page does not list it.
func (p *tab) carry(sku string) {
	p.Helper()
	p.do(chromedp.Evaluate[chromedp.Void](`fetch("/cart", {method: "POST", body: new URLSearchParams({sku: `+strconv.Quote(sku)+`, quantity: "2", what: "set"})}).then(() => {})`, chromedp.EvalAwaitPromise))
}

// value is the value of a field of the form.
func (p *tab) value(name string) string {
	p.Helper()
	return get(p, chromedp.Evaluate[string](`document.querySelector("form.columns").elements[`+strconv.Quote(name)+`].value`))
}

func price(sku string, amount int) string {
	return fmt.Sprintf(`{"name":"Thing %s","description":"A thing.","price":{"amount":%d,"currency":"EUR"},"reorder_point":0,"reorder_quantity":0}`, sku, amount)
}

func TestACustomerIsChargedThePriceThatTheySaw(t *testing.T) {
	t.Parallel()
	c, p := beside(t), open(t, phone)
	sku := c.Product(9, 0, 0)
	p.signIn("Alice", "/")
	p.carry(sku)
	p.visit("/checkout")
	p.sees("€20.00")
	c.Must(http.StatusOK, "olga", http.MethodPut, "/api/products/"+sku, price(sku, 9900))
	stories.Until(t, "orders knows the price", func() bool {
		a, err := c.Call("alice", http.MethodPost, "/api/orders", stories.Wish{SKU: sku}.JSON(), "Idempotency-Key", "look-"+sku, "Expected-Total", "0 XXX")
		return err == nil && strings.Contains(string(a.Body), `"amount":9900`)
	})
	p.press("Place the order")
	p.sees("it costs something else than was shown")
	p.forgive("409")
	if got := p.text(".total"); !strings.Contains(got, "was €20.00") || !strings.Contains(got, "is now €198.00") {
		t.Errorf("the page says %q", got)
	}
	p.press("Place the order")
	p.sees("What happened")
	p.sees("€198.00")
}

func TestAnOrderWhoseAnswerWasLostIsNotMadeAgainByItself(t *testing.T) {
	t.Parallel()
	c, p := beside(t), open(t, wide)
	sku := c.Product(9, 0, 0)
	p.signIn("Alice", "/")
	p.carry(sku)
	p.visit("/checkout")
	// The order is made, but the browser gets no answer.
	var made struct{ ID string }
	c.Must(http.StatusAccepted, "alice", http.MethodPost, "/api/orders", stories.Wish{SKU: sku, Quantity: 2}.JSON(), "Idempotency-Key", p.value("key")).Into(t, &made)
	p.visit("/checkout")
	p.do(chromedp.Click(chromedp.CSS(`input[value="tok_flaky"]`)))
	p.press("Place the order")
	p.sees("You have placed this order already")
	p.forgive("409")
	p.do(chromedp.Click(chromedp.CSS("form.columns button"))) // the browser requires the checkbox
	if p.path() != "/checkout" {
		t.Errorf("one more press leads to %s", p.path())
	}
	p.press("See what you have ordered")
	if p.path() != "/orders/"+made.ID {
		t.Errorf("the link leads to %s, not to %s", p.path(), made.ID)
	}
}

func TestAFormThatIsOnItsWaySaysSoAndIsSentOnce(t *testing.T) {
	t.Parallel()
	p := open(t, wide)
	p.visit("/")
	// The connection is so slow that the page stays.
	p.do(chromedp.Evaluate[chromedp.Void](`
		window.sent = 0;
		addEventListener("submit", (e) => { if (!e.defaultPrevented) window.sent++; e.preventDefault(); });
		window.form = document.querySelector('form[action="/cart"]');
		form.requestSubmit(form.querySelector("button"));
		form.requestSubmit();`))
	p.holds("the button is busy", `form.querySelector("button").disabled && form.querySelector("button").ariaBusy === "true"`)
	if n := get(p, chromedp.Evaluate[int](`window.sent`)); n != 1 {
		t.Errorf("it is sent %d times", n)
	}
	p.do(chromedp.Evaluate[chromedp.Void](`dispatchEvent(new PageTransitionEvent("pageshow", {persisted: true}))`))
	p.holds("the button is back", `!form.querySelector("button").disabled && !form.querySelector("button").ariaBusy`)
	p.do(chromedp.Evaluate[chromedp.Void](`form.requestSubmit()`))
	if n := get(p, chromedp.Evaluate[int](`window.sent`)); n != 2 {
		t.Errorf("after the page has come back it is sent %d times", n)
	}
}

func TestANoticeIsGoneWhenThePageIsLoadedAgain(t *testing.T) {
	t.Parallel()
	p := open(t, wide)
	p.visit("/")
	p.press("Add")
	p.sees("is in your cart")
	if where := get(p, chromedp.Location()); strings.Contains(where, "?") || !strings.Contains(where, "#") {
		t.Errorf("it leads to %s and not to the product", where)
	}
	p.visit("/cart")
	p.do(chromedp.Evaluate[chromedp.Void](`history.back()`))
	p.holds("the shop is back", `location.pathname === "/" && document.readyState === "complete"`)
	p.holds("the notice is gone", `!document.querySelector(".told")`)
}

// Input that the API accepts does not break a page: a name and an address may be one word.
func TestLongWordsFitIntoEveryPage(t *testing.T) {
	t.Parallel()
	c := beside(t)
	sku := c.Product(9, 0, 0) + "-" + strings.Repeat("X", 53)
	long := strings.Repeat("W", 120)
	c.Must(http.StatusCreated, "olga", http.MethodPut, "/api/products/"+sku, fmt.Sprintf(
		`{"name":%q,"description":%q,"price":{"amount":100000000,"currency":"EUR"},"reorder_point":0,"reorder_quantity":0}`, long, strings.Repeat("W", 400)))
	c.Must(http.StatusOK, "olga", http.MethodPost, "/api/products/"+sku+"/stock", `{"add":9}`, "Idempotency-Key", sku)
	wish := fmt.Sprintf(`{"lines":[{"sku":%q,"quantity":1}],"payment_method":"tok_visa","shipping_address":{"name":%q,"street":%q,"city":%q,"postal_code":%q,"country":"DE"}}`,
		sku, strings.Repeat("W", 100), strings.Repeat("W", 200), strings.Repeat("W", 100), strings.Repeat("W", 20))
	var placed struct{ ID string }
	stories.Until(t, "orders knows the product", func() bool {
		a, err := c.Call("olga", http.MethodPost, "/api/orders", wish, "Idempotency-Key", "long-"+sku)
		if err != nil || a.Status != http.StatusAccepted {
			return false
		}
		a.Into(t, &placed)
		return true
	})
	for _, width := range []int64{wide, phone} {
		p := open(t, width)
		fits := func(path string) {
			t.Helper()
			if got := get(p, chromedp.Evaluate[int64](`document.scrollingElement.scrollWidth`)); got > width {
				t.Errorf("%s is %d px wide at %d", path, got, width)
			}
		}
		p.signIn("Olga", "/")
		p.carry(sku)
		for _, path := range []string{"/", "/cart", "/checkout", "/orders", "/orders/" + placed.ID, "/operations", "/operations/stock", "/operations/dead-letters", "/sign-in"} {
			p.visit(path)
			fits(path)
		}
		p.visit("/checkout")
		p.do(chromedp.Evaluate[chromedp.Void](`
			const form = document.querySelector("form.columns");
			form.noValidate = true;
			form.elements.city.value = "";
			form.elements.street.value = "W".repeat(200);`))
		p.press("Place the order")
		p.sees("Nothing has been ordered yet")
		p.forgive("422")
		fits("a form that has come back")
		if focused := get(p, chromedp.Evaluate[string](`document.activeElement.name`)); focused != "city" {
			t.Errorf("the focus is on %q and not on what is wrong", focused)
		}
	}
}
