package browser

import (
	"os"
	"path/filepath"
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
	p.pictures("laboratory-scene")
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
	p.do(chromedp.SetValue(chromedp.CSS(`select[name=supplier]`), "slow"))
	p.do(chromedp.Click(chromedp.CSS(`form[action="/laboratory/faults"] button`)))
	p.until("the supplier is slow", func() bool { return strings.Contains(p.text("#now"), "Supplier answers after 1s to 2s") })
	p.do(chromedp.Click(chromedp.CSS(`form[action="/laboratory/end"] button`)))
	p.until("the supplier works", func() bool { return strings.Contains(p.text("#now"), "Supplier works") })
}

// pictures takes a whole page, if there is a folder for it: these pictures are for those who work on the page.
func (p *tab) pictures(name string) {
	p.Helper()
	folder := os.Getenv("LABORATORY_PICTURES")
	if folder == "" {
		return
	}
	for _, scheme := range []string{"light", "dark"} {
		for _, width := range []int64{wide, phone} {
			p.prefer(scheme)
			height := int64(3000)
			if width == phone {
				height = 6500
			}
			p.do(chromedp.EmulateViewport(width, height))
			png := get(p, chromedp.CaptureScreenshot())
			file := filepath.Join(folder, name+"-"+scheme+map[int64]string{wide: "", phone: "-phone"}[width]+".png")
			if err := os.WriteFile(file, png, 0o600); err != nil {
				p.Fatal(err)
			}
		}
	}
	p.do(chromedp.EmulateViewport(wide, 900))
	p.prefer("light")
}
