package browser

import (
	"os"
	"path/filepath"
	"testing"

	"example.com/orderflow/e2e/stories"
	"github.com/chromedp/chromedp"
)

// TestPictures takes the pictures of the documentation: go test ./browser -run Pictures -pictures ../../docs/images
func TestPictures(t *testing.T) {
	if *pictures == "" {
		t.Skip("no -pictures")
	}
	if err := os.MkdirAll(*pictures, 0o750); err != nil {
		t.Fatal(err)
	}
	stories.Poison(t, world.Broker.URL, 1)
	for width, suffix := range map[int64]string{wide: "", phone: "-phone"} {
		p := open(t, width)
		p.visit("/")
		p.take("shop" + suffix)
		p.visit("/sign-in")
		p.take("sign-in" + suffix)
		p.press("Olga")
		for _, product := range []string{"Stoneware", "Stoneware", "Swan-neck"} {
			p.press("Add " + product)
		}
		p.visit("/cart")
		p.take("cart" + suffix)
		p.visit("/checkout")
		p.take("checkout" + suffix)
		p.press("Place the order")
		p.sees("dispatched")
		p.take("tracking" + suffix)
		p.visit(p.path() + "/messages")
		p.take("messages" + suffix)
		p.buy("Folding", "tok_declined")
		p.becomes("Cancelled")
		p.take("cancelled" + suffix)
		p.visit("/orders")
		p.take("orders" + suffix)
		p.visit("/operations")
		p.sees("1 dead letter")
		p.take("operations" + suffix)
		p.visit("/operations/dead-letters")
		p.take("dead-letters" + suffix)
		p.visit("/operations/books")
		p.take("books" + suffix)
		p.visit("/operations/stock")
		p.take("stock" + suffix)
		p.visit("/laboratory")
		p.do(chromedp.Click(chromedp.CSS(`form[action="/laboratory/scenes/bank-silent"] button`)))
		p.sees("has begun")
		p.holds("orders wait for the bank", `/Reserved \d\d/.test(document.querySelector("#now").innerText)`)
		p.take("laboratory" + suffix)
		p.press("End faults and customers")
		p.visit("/operations/products/MUG-BLUE")
		p.take("product" + suffix)
		p.press("Carl")
		p.visit("/courier")
		p.press("I do it by hand")
		p.press("Alice")
		p.buy("Stoneware", "tok_visa")
		p.becomes("Paid")
		p.press("Carl")
		p.visit("/courier")
		p.holds("there is a parcel", `document.querySelector("#parcels .row") !== null`)
		p.take("courier" + suffix)
		p.press("Let them go on")
	}
}

// takeIf takes a picture in a test of another thing, if there is -pictures.
func (p *tab) takeIf(name string) {
	p.Helper()
	if *pictures != "" {
		p.take(name)
	}
}

const pictureMost = 150 << 10

func (p *tab) take(name string) {
	p.Helper()
	p.holds("what is in the window is loaded", `[...document.images].every((i) => i.complete && i.naturalWidth > 0 || i.getBoundingClientRect().top > innerHeight)`)
	png := get(p, chromedp.CaptureScreenshot())
	if len(png) > pictureMost {
		p.Errorf("the picture %s has %d bytes", name, len(png))
	}
	if err := os.WriteFile(filepath.Join(*pictures, name+".png"), png, 0o600); err != nil {
		p.Fatal(err)
	}
}
