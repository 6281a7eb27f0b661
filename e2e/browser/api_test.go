package browser

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// pageMost is how many bytes, compressed, the page of the API and what it loads may have.
const pageMost = 100_000

func TestThePageOfTheAPICanBeUsedByEverybody(t *testing.T) {
	t.Parallel()
	for _, width := range []int64{wide, phone} {
		for _, scheme := range []string{"light", "dark"} {
			p := open(t, width)
			p.prefer(scheme)
			p.visit("/docs/problems/total-changed")
			p.check(scheme, width)
			p.visit("/docs/api")
			p.check(scheme, width)
			if weight := get(p, chromedp.Evaluate[int](`[...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")].reduce((sum, e) => sum + e.transferSize, 0)`)); weight < 5_000 || weight > pageMost {
				t.Errorf("the page and what it loads have %d bytes", weight)
			}
			p.do(chromedp.Evaluate[chromedp.Void](`for (const d of document.querySelectorAll("details")) d.open = true;`))
			p.check(scheme, width)
			p.visit("/docs/api#placeOrder")
			p.holds("a link to a route opens it", `document.querySelector("#placeOrder form").checkVisibility()`)
		}
	}
}

// try sends the request of a route's form, and waits for the status of the answer.
func (p *tab) try(route, status string) {
	p.Helper()
	p.do(chromedp.Click(chromedp.CSS("#" + route + " .try .button")))
	p.holds("the answer to "+route+" is "+status, `document.querySelector("#`+route+` .result strong").textContent.startsWith(`+strconv.Quote(status)+`)`)
}

// fill writes a value into a field of a route's form, as typing does.
func (p *tab) fill(route, name, value string) {
	p.Helper()
	p.do(chromedp.Evaluate[chromedp.Void](`{
		const field = document.querySelector("#` + route + ` .try").elements[` + strconv.Quote(name) + `];
		field.value = ` + strconv.Quote(value) + `;
		field.dispatchEvent(new Event("input", {bubbles: true}));
		field.dispatchEvent(new Event("change", {bubbles: true}));
	}`))
}

func TestAnOrderIsPlacedAndFollowedFromThePageOfTheAPI(t *testing.T) {
	t.Parallel()
	c, p := beside(t), open(t, wide)
	sku := c.Product(9, 0, 0)
	p.visit("/docs/api#placeOrder")
	p.fill("placeOrder", "body", `{"lines":[{"sku":"`+sku+`","quantity":2}],"payment_method":"tok_visa","shipping_address":{"name":"Alice","street":"1 Main St","city":"Berlin","postal_code":"10115","country":"DE"}}`)
	key := `document.querySelector("#placeOrder .try").elements["Idempotency-Key"].value`
	before := get(p, chromedp.Evaluate[string](key))
	p.try("placeOrder", "202 Accepted")
	where := get(p, chromedp.Evaluate[string](`document.querySelector("#placeOrder .result").innerText.match(/location: (\S+)/)[1]`))
	if answer := c.Must(http.StatusOK, "alice", http.MethodGet, where, ""); !strings.Contains(string(answer.Body), sku) {
		t.Errorf("%s is %s", where, answer.Body)
	}
	if got := get(p, chromedp.Evaluate[string](key)); got == before || len(before) < 20 {
		t.Errorf("the next order would have the key %q after %q", got, before)
	}

	p.fill("placeOrder", "body", `{"lines":[]}`)
	p.try("placeOrder", "422")
	p.forgive("422")
	if text := p.text("#placeOrder .result"); !strings.Contains(text, "/docs/problems/invalid") || !strings.Contains(text, "application/problem+json") {
		t.Errorf("the refusal is %s", text)
	}
	p.fill("placeOrder", "who", "")
	p.try("placeOrder", "401")
	p.forgive("401")

	id := strings.TrimPrefix(where, "/api/orders/")
	p.visit("/docs/api#trackOrder")
	p.fill("trackOrder", "id", id)
	p.fill("trackOrder", "accept", "text/event-stream")
	p.try("trackOrder", "200")
	p.holds("the stream is shown as it comes, to its end", `document.querySelector("#trackOrder .result").innerText.includes("event: end") && document.querySelector("#trackOrder .stop").hidden`)

	p.visit("/docs/api#listProducts")
	p.fill("listProducts", "sku", sku+", MUG-BLUE")
	p.try("listProducts", "200")
	if text := p.text("#listProducts .result"); !strings.Contains(text, "sku="+sku+"&sku=MUG-BLUE") || !strings.Contains(text, "Stoneware mug, blue") {
		t.Errorf("the list is %s", text)
	}
}

func TestATokenThatIsPastedIsUsedAsItIs(t *testing.T) {
	t.Parallel()
	p := open(t, phone)
	p.visit("/docs/api#listOrders")
	p.fill("listOrders", "who", "token")
	p.fill("listOrders", "token", "not-a-token")
	p.try("listOrders", "401")
	p.forgive("401")
	p.fill("listOrders", "who", "carl") // a token without the scope
	p.try("listOrders", "403")
	p.forgive("403")
}

func TestThePageOfTheAPICanBeReadWithoutAScript(t *testing.T) {
	t.Parallel()
	p := open(t, wide)
	p.withoutScript()
	p.visit("/")
	p.do(chromedp.Click(chromedp.Search(`//footer//a[normalize-space(.)="API"]`), chromedp.NodeVisible))
	p.sees("The API of Orderflow")
	p.do(chromedp.Click(chromedp.Search(`//summary[contains(., "Place an order")]`), chromedp.NodeVisible))
	p.sees("tok_visa")
	if n := p.count(`form:not([hidden]), button:not([hidden]):not(form *)`); n > 0 {
		t.Errorf("%d things can be used that need a script", n)
	}
}
