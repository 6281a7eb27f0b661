package browser

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/chromedp/chromedp"
)

// do performs actions in the window, within timeout.
func (p *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	p.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, timeout)
	defer cancel()
	if err := chromedp.Do(ctx, actions...); err != nil {
		p.Fatal(err)
	}
}

// get reads something from the window, within timeout.
func get[T any](p *tab, action chromedp.Action[T]) T {
	p.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, timeout)
	defer cancel()
	value, err := chromedp.Run(ctx, action)
	if err != nil {
		p.Fatal(err)
	}
	return value
}

func (p *tab) until(what string, holds func() bool) {
	p.Helper()
	for deadline := time.Now().Add(timeout); !holds(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			p.Fatalf("after %s still not: %s", timeout, what)
		}
	}
}

// holds waits until an expression is true in the page, whichever page is loaded meanwhile.
func (p *tab) holds(what, expression string) {
	p.Helper()
	p.until(what, func() bool {
		ctx, cancel := context.WithTimeout(p.ctx, 5*time.Second)
		defer cancel()
		ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool](expression))
		return err == nil && ok
	})
}

// visit loads a page.
func (p *tab) visit(path string) {
	p.Helper()
	p.do(chromedp.Navigate(p.at + path))
}

// press presses the first button or link with this text, and waits for the page that it leads to.
func (p *tab) press(text string) {
	p.Helper()
	p.do(chromedp.Evaluate[chromedp.Void](`window.before = true`))
	where := `//*[self::a or self::button][contains(normalize-space(.), "` + text + `")]`
	p.do(chromedp.Click(chromedp.Search(`(//main`+where+` | //header`+where+`)[1]`), chromedp.NodeVisible))
	p.holds("a page after "+text, `!window.before && document.readyState === "complete"`)
}

// signIn signs in as one of the demo clients and goes on to a page.
func (p *tab) signIn(name, next string) {
	p.Helper()
	p.visit("/sign-in?next=" + next)
	p.press(name)
	p.sees("Sign out")
}

// sees waits until the page is there as a whole and shows a text. While a page is still being read, its elements are found and lost again.
func (p *tab) sees(text string) {
	p.Helper()
	p.holds("the page shows "+text, `document.readyState === "complete" && document.body.innerText.toLowerCase().includes(`+strconv.Quote(strings.ToLower(text))+`)`)
}

// becomes waits until the order of the page has a status.
func (p *tab) becomes(status string) {
	p.Helper()
	p.holds("the order is "+status, `document.querySelector("#progress .badge").innerText === `+strconv.Quote(status))
}

// text is what an element shows.
func (p *tab) text(selector string) string {
	p.Helper()
	return strings.Join(strings.Fields(get(p, chromedp.Text(chromedp.CSS(selector)))), " ")
}

// count counts elements.
func (p *tab) count(selector string) int {
	p.Helper()
	return get(p, chromedp.Evaluate[int](`document.querySelectorAll(`+strconv.Quote(selector)+`).length`))
}

func (p *tab) path() string {
	p.Helper()
	return get(p, chromedp.Evaluate[string](`location.pathname`))
}

// buy puts a product into the cart and orders it with a card. It ends on the order's page.
func (p *tab) buy(product, card string) {
	p.Helper()
	p.visit("/")
	p.press("Add " + product)
	p.sees("is in your cart")
	p.visit("/checkout")
	p.do(chromedp.Click(chromedp.CSS(`input[value="` + card + `"]`)))
	p.press("Place the order")
	p.sees("What happened")
}
