package browser

import (
	_ "embed"
	"testing"

	"github.com/chromedp/chromedp"
)

// access.js returns the accessibility problems of a page for people who do not see, use a pointer or read small print.
//
//go:embed access.js
var access string

func TestEveryPageCanBeUsedByEverybody(t *testing.T) {
	t.Parallel()
	for _, width := range []int64{wide, phone} {
		for _, scheme := range []string{"light", "dark"} {
			p := open(t, width)
			p.prefer(scheme)
			p.visit("/sign-in")
			p.check(scheme, width)
			p.press("Olga")
			p.buy("", "tok_visa")
			p.check(scheme, width)
			p.visit(p.path() + "/messages")
			p.check(scheme, width)
			p.visit("/")
			p.press("Add")
			for _, path := range []string{"/", "/cart", "/checkout", "/orders", "/operations", "/operations/orders", "/operations/dead-letters", "/operations/stock", "/operations/books", "/operations/products/new", "/operations/products/MUG-BLUE", "/laboratory"} {
				p.visit(path)
				p.check(scheme, width)
			}
			p.press("Carl")
			p.visit("/courier")
			p.check(scheme, width)
		}
	}
}

func (p *tab) check(scheme string, width int64) {
	p.Helper()
	for _, w := range get(p, chromedp.Evaluate[[]string](access)) {
		p.Errorf("%s, %s, %d px: %s", p.path(), scheme, width, w)
	}
}

func TestThePagesCanBeUsedWithTheKeyboardAlone(t *testing.T) {
	t.Parallel()
	p := open(t, wide)
	p.visit("/")
	p.do(chromedp.KeyEvent("\t"))
	if focused := get(p, chromedp.Evaluate[string](`document.activeElement.innerText`)); focused != "Skip to the content" {
		t.Errorf("the first stop is %q", focused)
	}
	p.do(chromedp.KeyEvent("\r"))
	p.do(chromedp.KeyEvent("\t"))
	inside := get(p, chromedp.Evaluate[bool](`document.querySelector("main").contains(document.activeElement) && getComputedStyle(document.activeElement).outlineStyle === "solid"`))
	if !inside {
		t.Error("the skip link does not lead to the content, or the focus is not seen there")
	}
	for range 10 { // past the search and sorting controls, to the first product
		if get(p, chromedp.Evaluate[bool](`document.activeElement.innerText.startsWith("Add")`)) {
			break
		}
		p.do(chromedp.KeyEvent("\t"))
	}
	p.do(chromedp.KeyEvent("\r"))
	p.sees("is in your cart")
}
