package browser

import (
	"testing"

	"github.com/chromedp/chromedp"
)

// While the broker is away, the page polls instead, and shows what happens when the broker is back. The test stops parts that
// others use, so it ends before the parallel tests go on.
func TestAPageThatIsOpenWhileTheBrokerIsAwayShowsEverything(t *testing.T) {
	p := open(t, wide)
	p.signIn("Alice", "/")
	if err := world.Rabbit.Stop(); err != nil {
		t.Fatal(err)
	}
	p.buy("", "tok_visa")
	p.becomes("Placed")
	p.do(chromedp.Evaluate[chromedp.Void](`window.same = true`))

	console := open(t, wide)
	console.signIn("Olga", "/operations")
	console.sees("How many messages were given up is not known")
	console.sees("How many came lately is not known")

	if err := world.Rabbit.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	p.becomes("Delivered")
	if !get(p, chromedp.Evaluate[bool](`window.same === true`)) {
		t.Error("the page was loaded again")
	}
	if n := p.count(".timeline li"); n < 6 {
		t.Errorf("the timeline has %d entries", n)
	}
	console.sees("connected")
	console.holds("the queues are shown again", `document.querySelectorAll("#attention tbody tr").length >= 6`)
}
