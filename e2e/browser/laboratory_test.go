package browser

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// Olga starts a scene, stops a program, and sees both end. The test disturbs others, so it ends before the parallel tests go on.
func TestOlgaLetsTheBankFallSilentAndPaymentsDie(t *testing.T) {
	p := open(t, wide)
	p.signIn("Olga", "/operations")
	p.press("Laboratory")
	p.sees("No scene is under way.")
	p.do(chromedp.Click(chromedp.CSS(`form[action="/laboratory/scenes/bank-silent"] button`)))
	p.sees("has begun. It ends by itself.")
	p.holds("the scene is under way", `document.querySelector("#now").innerText.includes("The bank falls silent during 50 orders, until")`)
	p.holds("customers come, without a reload of the page", `/[1-9]\d* orders accepted/.test(document.querySelector("#now").innerText)`)
	p.press("End faults and customers")
	p.sees("Faults and customers have ended.")
	p.holds("the bank works", `document.querySelector("#now dd").innerText === "works" && document.querySelector("#now").innerText.includes("nobody comes")`)

	p.do(chromedp.Click(chromedp.CSS(`form[action="/laboratory/programs/payments-1/kill"] button`)))
	p.sees("payments-1 is killed.")
	p.holds("payments-1 is stopped", row("payments-1", "stopped"))
	if n := p.count(`form[action^="/laboratory/programs/gateway-1/"]`); n != 1 {
		t.Errorf("there are %d buttons for the gateway", n)
	}
	p.do(chromedp.Click(chromedp.CSS(`form[action="/laboratory/programs/payments-1/start"] button`)))
	p.sees("payments-1 is being started.")
	p.holds("payments-1 runs again", row("payments-1", "running"))
	p.visit("/operations") // other tests expect that all is well
	p.holds("no breaker is open any more", `document.querySelectorAll("#programs .bad").length === 0`)
}

// What the project is about, within the first minutes and with a browser only: payments is stopped, an order waits and its messages
// show for what, payments comes back, the order is delivered, and the books agree. The test disturbs others, so it ends before
// the parallel tests go on.
func TestTheFirstThreeMinutes(t *testing.T) {
	p := open(t, wide)
	p.visit("/")
	p.sees("Three things to try")
	p.press("Be Olga, break something")
	replicas := []string{"payments-1", "payments-2"}
	for _, replica := range replicas {
		p.do(chromedp.Click(chromedp.CSS(`form[action="/laboratory/programs/` + replica + `/stop"] button`)))
		p.holds(replica+" is stopped", row(replica, "stopped"))
	}
	p.buy("", "tok_visa")
	p.becomes("Reserved")
	p.holds("payments was told to take the money", drawn("take_payment"))
	if get(p, chromedp.Evaluate[bool](drawn("payment_taken"))) {
		t.Error("payments has taken the money although it is stopped")
	}
	order := p.path()
	p.visit(order + "/messages")
	p.holds("the message is there in full", drawn("take_payment"))
	p.takeIf("waiting")

	p.visit("/laboratory")
	for _, replica := range replicas {
		p.do(chromedp.Click(chromedp.CSS(`form[action="/laboratory/programs/` + replica + `/start"] button`)))
		p.holds(replica+" runs again", row(replica, "running"))
	}
	p.visit(order)
	p.becomes("Delivered")
	p.holds("the money was taken", drawn("payment_taken"))
	p.visit("/operations/books")
	p.sees("The books agree")
	p.visit("/operations") // other tests expect that all is well
	p.holds("no breaker is open any more", `document.querySelectorAll("#programs .bad").length === 0`)
}

func row(part, state string) string {
	return `[...document.querySelectorAll("#programs tr")].some((r) => r.innerText.startsWith("` + part + `") && r.innerText.includes("` + state + `"))`
}

// Without JavaScript the forms do the same, and the page is the state at the time of its loading.
func TestTheLaboratoryWorksWithoutJavaScript(t *testing.T) {
	p := open(t, phone)
	p.signIn("Olga", "/laboratory")
	p.withoutScript()
	p.visit("/laboratory")
	p.do(chromedp.SetValue(chromedp.CSS(`select[name=supplier]`), "slow"),
		chromedp.Click(chromedp.CSS(`form[action="/laboratory/faults"] button`)), chromedp.WaitVisible(chromedp.CSS(`#now .bad`)))
	if text := p.text("#now"); !strings.Contains(text, "Supplier answers after 1s to 2s") {
		t.Errorf("%s", text)
	}
	p.visit("/laboratory") // without the notice
	p.do(chromedp.Click(chromedp.CSS(`form[action="/laboratory/end"] button`)), chromedp.WaitVisible(chromedp.CSS(`.notice`)))
	if text := p.text("#now"); !strings.Contains(text, "Supplier works") {
		t.Errorf("%s", text)
	}
}
