package browser

import (
	"context"
	"net/http"
	"testing"

	"example.com/orderflow/e2e/stories"
	"example.com/orderflow/local/system"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

// watches remembers the kinds of messages that stand beside the exchanges, and counts the dots and the messages that they stand for.
const watches = `window.names = new Set(); window.dots = 0; window.told = 0;
	new MutationObserver((all) => all.forEach((m) => m.addedNodes.forEach((e) => { window.dots++; window.told += Number(e.textContent) || 1; })))
		.observe(document.querySelector(".wide .dots"), { childList: true });
	for (const e of document.querySelectorAll(".wide .kind tspan"))
		new MutationObserver(() => window.names.add(e.textContent.split(" ")[0])).observe(e, { childList: true })`

// A visitor sees an order go round, payments turn red, a pile grow in front of it, and the pile go when payments is back. The
// test stops parts that others use, so it ends before the parallel tests go on.
func TestTheBackstageShowsWhatMovesWhatWaitsAndWhatIsAway(t *testing.T) {
	p := open(t, wide)
	p.signIn("Olga", "/backstage")
	p.says("Live")
	p.shows("summary", "All programs are ready.")
	p.shows("payments.replicas", "2 of 2 ready")
	p.do(chromedp.Evaluate[chromedp.Void](watches))
	q := open(t, wide)
	q.signIn("Alice", "/")
	q.buy("Folding", "tok_visa")
	q.becomes("Delivered")
	// Only three kinds have a place beside each exchange: all commands of the order, and the latest of its events.
	p.holds("the messages of the order move, and their kinds are told", `["reserve_stock", "take_payment", "arrange_shipment"].every((w) => names.has(w)) && names.size > 4 && dots > 3 && told > 10`)
	p.shows("orders.underway", "0")

	each(t, "payments", (*system.Part).Stop)
	p.shows("payments.replicas", "0 of 2 ready")
	p.holds("it is red", `getComputedStyle(document.querySelector('.wide .box[data-look="payments.state"] > rect')).stroke === "rgb(156, 47, 47)"`)
	for range 5 {
		beside(t).Place(stories.Wish{SKU: "PENCILS-12"})
	}
	p.shows("payments.commands.waiting", "5")
	p.shows("payments.commands.consumers", "0")
	p.shows("waiting", "Waiting: 5 in payments.commands.")
	p.holds("the pile has five dots, of which three are at the bottom", `document.querySelector('.wide [data-d="payments.commands.pile"]').getAttribute("d") === "M-8 -3.5h16M-4 -10.5h8"`)
	if *pictures != "" {
		p.take("backstage")
		small := open(t, phone)
		small.signIn("Olga", "/backstage")
		small.says("Live")
		small.do(chromedp.Evaluate[chromedp.Void](`document.querySelector(".words").scrollIntoView()`))
		small.take("backstage-phone")
	}

	p.do(chromedp.Evaluate[chromedp.Void](`window.told = 0`))
	each(t, "payments", func(r *system.Part) error { return r.Start(t.Context()) })
	p.shows("payments.commands.waiting", "0")
	p.shows("payments.replicas", "2 of 2 ready")
	p.shows("summary", "All programs are ready.")
	p.holds("the pile is gone, and moves", `document.querySelector('.wide [data-d="payments.commands.pile"]').getAttribute("d") === "" && told >= 5`)
	p.shows("orders.underway", "0")
}

// meets counts the moments at which dots of the picture lie on each other.
const meets = `window.meetings = 0; window.moments = 0;
	(function watch() {
		const all = [...document.querySelectorAll(".wide .dots > g:not([visibility])")].map((e) => e.getBoundingClientRect());
		const meet = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
		if (all.some((a, i) => all.some((b, k) => k < i && meet(a, b)))) window.meetings++;
		if (all.length > 5) window.moments++;
		requestAnimationFrame(watch);
	})()`

// Under load the messages are few dots with numbers, and no dot hides another one. The test runs alone: parallel tests would need
// the time of the processor that the load takes.
func TestTheDotsOfABusyBackstageNeverMeet(t *testing.T) {
	c := beside(t)
	sku := c.Product(200, 0, 0)
	p := open(t, wide)
	p.signIn("Olga", "/backstage")
	p.says("Live")
	p.do(chromedp.Evaluate[chromedp.Void](watches), chromedp.Evaluate[chromedp.Void](meets))
	c.Must(http.StatusOK, "olga", http.MethodPut, "/api/laboratory/customers", `{"rate":20,"orders":160,"sku":"`+sku+`"}`)
	p.holds("more messages than dots have moved", `moments > 60 && dots > 20 && told > 4 * dots`)
	if n := get(p, chromedp.Evaluate[int](`meetings`)); n > 0 {
		t.Errorf("at %d moments a dot hid another one", n)
	}
	p.shows("orders.underway", "0")
}

// shows waits until everything with a name on the page says so.
func (p *tab) shows(name, text string) {
	p.Helper()
	p.holds(name+" is "+text, `[...document.querySelectorAll('[data-text="`+name+`"]')].every((e, i, all) => all.length > 0 && e.textContent === "`+text+`")`)
}

func TestTheBackstageIsAPictureWithoutAScript(t *testing.T) {
	t.Parallel()
	p := open(t, wide)
	p.signIn("Olga", "/")
	p.withoutScript()
	p.visit("/backstage")
	p.sees("All programs are ready.")
	p.sees("Look again")
	if n := p.count(`.wide [data-state=ready]`); n < 6 {
		t.Errorf("%d things are ready", n)
	}
}

// With reduced motion nothing moves, and the numbers tell the same.
func TestWithReducedMotionTheBackstageHasNumbers(t *testing.T) {
	t.Parallel()
	p := open(t, wide)
	p.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-reduced-motion", Value: "reduce"}},
		})
		return err
	}))
	p.signIn("Olga", "/backstage")
	p.says("Live")
	p.do(chromedp.Evaluate[chromedp.Void](watches))
	beside(t).Place(stories.Wish{SKU: "PENCILS-12"})
	p.holds("a number says that the command has come", `Number(document.querySelector('[data-text="shipping.commands.seen"]').textContent) > 0`)
	if n := get(p, chromedp.Evaluate[int](`window.dots`)); n > 0 {
		t.Errorf("%d dots have moved", n)
	}
}

func TestTheBackstageCanBeUsedByEverybody(t *testing.T) {
	t.Parallel()
	for _, width := range []int64{wide, phone} {
		for _, scheme := range []string{"light", "dark"} {
			p := open(t, width)
			p.prefer(scheme)
			p.signIn("Olga", "/backstage")
			p.says("Live")
			p.check(scheme, width)
			if cut := p.count(".scroll:not([tabindex])"); cut > 0 {
				t.Errorf("%d regions scroll and cannot be reached with the keyboard", cut)
			}
		}
	}
}

// A reader who has signed out elsewhere is told so, instead of being shown old numbers for ever.
func TestTheBackstageSaysThatTheSessionIsOver(t *testing.T) {
	t.Parallel()
	p := open(t, phone)
	p.signIn("Olga", "/backstage")
	p.says("Live")
	beside := p.beside()
	beside.visit("/")
	beside.press("Sign out")
	p.do(chromedp.Evaluate[chromedp.Void](`dispatchEvent(new Event("online"))`)) // as after a change of the network
	p.says("You are signed out")
	p.mu.Lock()
	p.problems = nil // the browser reports the answers 401
	p.mu.Unlock()
}
