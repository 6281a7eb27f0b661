package browser

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"example.com/orderflow/e2e/stories"
	"github.com/chromedp/chromedp"
)

func TestOlgaReplaysAndDiscardsADeadLetter(t *testing.T) {
	t.Parallel()
	stories.Poison(t, world.Broker.URL, 1)
	p := open(t, wide)
	p.signIn("Olga", "/operations")
	p.sees("1 dead letter")
	p.press("Dead letters")
	p.do(chromedp.Click(chromedp.CSS("summary")))
	p.sees(`"amount": "much"`)
	p.do(chromedp.Click(chromedp.CSS(`input[name=id]`)))
	p.press("Replay the selected")
	p.sees("Back in their queues: 1.")

	// The message is still unreadable, so it comes back.
	p.visit("/operations")
	p.sees("1 dead letter")
	p.visit("/operations/dead-letters")
	p.do(chromedp.SendKeys(chromedp.CSS(`.letters input[name=reason]`), "a test has made it"))
	p.press("Discard payments.take_payment")
	p.sees("was thrown away")
	p.sees("There are none.")
}

// queueRow is a queue with its depth, age and consumers.
var queueRow = regexp.MustCompile(`[a-z]+\.(commands|events) \d+ \d+s 2`)

func TestTheConsoleShowsWhatRuns(t *testing.T) {
	t.Parallel()
	p := open(t, wide)
	p.signIn("Olga", "/operations")
	text := p.text("#programs")
	for _, name := range []string{"gateway", "orders", "inventory", "payments", "shipping"} {
		if !strings.Contains(text, name+" ready") {
			t.Errorf("%s is not ready: %s", name, text)
		}
	}
	if n := p.count("#programs .bad"); n > 0 {
		t.Errorf("something is bad: %s", text)
	}
	if text := p.text("#attention"); !strings.Contains(text, "orders.commands") || !strings.Contains(text, "No order waits") {
		t.Errorf("%s", text)
	}
	if text := p.text("#attention"); !strings.Contains(text, "Waiting Age Consumers") || len(queueRow.FindAllString(text, -1)) != 6 {
		t.Errorf("a queue that nothing waits in: %s", text)
	}
	p.visit("/operations/stock")
	p.press("Add")
	p.sees("what you have added is on the shelf")
}

func TestStockCanBeAddedOnAPhone(t *testing.T) {
	t.Parallel()
	p := open(t, phone)
	p.signIn("Olga", "/operations/stock?q=pencils")
	p.sees("PENCILS-12")
	if hidden := get(p, chromedp.Evaluate[int](`[...document.querySelectorAll("main :is(input, button, td)")].filter(e => e.getBoundingClientRect().right > innerWidth).length`)); hidden > 0 {
		t.Errorf("%d parts of the page are beside the screen", hidden)
	}
	p.press("Add")
	p.sees("what you have added is on the shelf")
	p.sees("Products with “pencils”.")
}

func TestTheConsoleIsNotForShoppers(t *testing.T) {
	t.Parallel()
	p := open(t, wide)
	p.signIn("Alice", "/operations")
	p.sees("This is not for you")
	p.forgive("403")
}

// The books are compared while orders are under way. A second charge for an order that is planted at the provider turns the page red,
// and the page leads to the order.
func TestTheBooksAgreeUntilAnOrderIsChargedTwice(t *testing.T) {
	t.Parallel()
	p := open(t, wide)
	p.signIn("Olga", "/")
	p.buy("", "tok_visa")
	p.becomes("Delivered")
	order := strings.TrimPrefix(p.path(), "/orders/")
	p.visit("/operations/books")
	p.sees("The books agree")
	if n := p.count("#books .bad"); n > 0 {
		t.Errorf("something is bad: %s", p.text("#books"))
	}
	planted := `{"amount": 1000000, "currency": "EUR", "method": "tok_visa", "reference": "` + order + `"}`
	a, err := stories.Send(t.Context(), http.MethodPost, world.SimulatorURL+"/provider/charges", planted, "Idempotency-Key", "planted-"+order)
	if err != nil || a.Status != http.StatusCreated {
		t.Fatalf("plant a charge: %d %s, %v", a.Status, a.Body, err)
	}
	p.sees("The books do not agree")
	p.sees("was charged more than once")
	p.press("Its messages")
	p.sees("Behind order")
	refund := `{"charge_key": "planted-` + order + `", "amount": 1000000, "currency": "EUR"}`
	if a, err := stories.Send(t.Context(), http.MethodPost, world.SimulatorURL+"/provider/refunds", refund, "Idempotency-Key", "back-"+order); err != nil || a.Status != http.StatusCreated {
		t.Fatalf("give it back: %d %s, %v", a.Status, a.Body, err)
	}
}
