package browser

import (
	"testing"

	"github.com/chromedp/chromedp"
)

// The test stops parts that others use, so it ends before the parallel tests go on.
func TestLiveTrackingOutlivesADeployOfEveryReplica(t *testing.T) {
	p := open(t, wide)
	p.signIn("Alice", "/")
	p.buy("", "tok_visa")
	p.do(chromedp.Evaluate[chromedp.Void](`window.same = true`))
	for number := 1; number <= 2; number++ {
		replica := world.Program("bff-web", number)
		if err := replica.Stop(); err != nil {
			t.Fatal(err)
		}
		if err := replica.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	p.becomes("Delivered")
	if !get(p, chromedp.Evaluate[bool](`window.same === true`)) {
		t.Error("the page was loaded again")
	}
	if n := p.count(".timeline li"); n < 6 {
		t.Errorf("the timeline has %d entries", n)
	}
	// Messages of the browser between two connections are no mistake of the page.
	p.mu.Lock()
	p.problems = nil
	p.mu.Unlock()
}
