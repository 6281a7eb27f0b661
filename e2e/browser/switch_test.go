package browser

import (
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

func TestOneClickMakesSomebodyElseOfTheVisitor(t *testing.T) {
	t.Parallel()
	p := open(t, phone)
	p.visit("/?q=mug")
	p.press("Alice")
	p.sees("You are Alice now")
	p.sees("Products with “mug”")
	p.press("Olga")
	p.visit("/operations/stock")
	p.press("Bob") // who may not see this page
	p.sees("You are Bob now")
	if at := p.path(); at != "/" {
		t.Errorf("bob is at %s", at)
	}
}

func TestEachPersonHasATabAtAHostOfTheirOwn(t *testing.T) {
	t.Parallel()
	p := open(t, wide)
	p.at = strings.Replace(p.at, "127.0.0.1", "localhost", 1)
	p.signIn("Bob", "/sign-in")
	carl := p.beside()
	at := get(p, chromedp.Evaluate[string](`document.querySelector('a[href*="//carl.localhost"]').href`))
	carl.do(chromedp.Navigate(at))
	carl.press("Carl")
	carl.sees("On their way")
	p.visit("/")
	carl.do(chromedp.Reload())
	if bob, carl := p.text(".who span"), carl.text(".who span"); bob != "Bob" || carl != "Carl" || !strings.Contains(at, "next=%2Fcourier") {
		t.Errorf("one tab has %s, the other has %s", bob, carl)
	}
}
