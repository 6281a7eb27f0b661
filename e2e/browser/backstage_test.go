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

// crossings tries all pairs of ways and moments of departure, and looks where the dots are at each millisecond.
const crossings = `(({ dots, isFree, survey, tick }) => {
	const moving = [...dots];
	const ways = [...document.querySelectorAll(".wide [data-way]")].map((part) => survey([part]));
	const place = ({ way, begins }, t) => {
		const at = (t - begins) / tick, i = Math.min(Math.floor(at), way.points.length - 2);
		return [0, 1].map((k) => way.points[i][k] + (way.points[i + 1][k] - way.points[i][k]) * (at - i));
	};
	const meet = (a, b) => {
		const end = Math.min(a.begins + a.way.takes, b.begins + b.way.takes);
		for (let t = Math.max(a.begins, b.begins); t < end; t += 1) {
			const [ax, ay] = place(a, t), [bx, by] = place(b, t);
			if (Math.abs(ax - bx) < a.width && Math.abs(ay - by) < 12) return true;
		}
		return false;
	};
	let free = 0, met = 0;
	for (const [i, way] of ways.entries()) {
		const first = { way, begins: 1000, width: 15 };
		dots.clear();
		dots.add(first);
		for (const other of ways.slice(i)) for (let begins = 0; begins <= 2000; begins += tick) {
			if (!isFree(other, begins, 15)) continue;
			free++;
			if (meet(first, { way: other, begins, width: 15 })) met++;
		}
	}
	dots.clear();
	for (const dot of moving) dots.add(dot);
	return free > 50000 ? met : -1;
})(moving)`

// A dot departs only when it is free on its whole way, also between the ticks at which that is computed.
func TestADotThatDepartsMeetsNoOtherBetweenTwoTicks(t *testing.T) {
	t.Parallel()
	p := open(t, wide)
	p.signIn("Olga", "/backstage")
	p.do(chromedp.Evaluate[chromedp.Void](`import(document.querySelector('script[src*="backstage.js"]').src).then((m) => { window.moving = m; })`))
	p.holds("the script of the page is there", `window.moving !== undefined`)
	if n := get(p, chromedp.Evaluate[int](crossings)); n != 0 {
		t.Errorf("%d pairs of dots meet", n)
	}
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
