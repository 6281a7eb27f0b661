package browser

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/chromedp/chromedp"
)

// A company's proxy sends the gateway's Host with each request, and the browser's in X-Forwarded-Host. For a name that is
// without TLS and not localhost, the browser sends Origin with a form, and no Sec-Fetch-Site.
func TestFormsWorkBehindAProxyThatChangesTheHost(t *testing.T) {
	t.Parallel()
	gateway, err := url.Parse(world.GatewayURL)
	if err != nil {
		t.Fatal(err)
	}
	var fetchSite atomic.Bool
	proxy := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) {
		if p.In.Method == http.MethodPost && p.In.Header.Get("Sec-Fetch-Site") != "" {
			fetchSite.Store(true)
		}
		p.SetURL(gateway)
		p.SetXForwarded()
		p.Out.Host = "gateway.internal"
	}})
	t.Cleanup(proxy.Close)
	shop := "http://" + shopName + ":" + proxy.URL[strings.LastIndex(proxy.URL, ":")+1:]

	p := open(t, wide)
	p.do(chromedp.Navigate(shop + "/sign-in"))
	p.press("Alice")
	p.sees("Sign out")
	p.press("Add")
	p.press("Cart")
	p.press("Sign out")
	p.sees("Sign in")
	if at := get(p, chromedp.Location()); !strings.HasPrefix(at, shop) {
		t.Errorf("the browser was led to %s", at)
	}
	if fetchSite.Load() {
		t.Error("the browser has told from where a form comes in another way, and the test shows nothing")
	}
}

// The test stops parts that others use, so it ends before the parallel tests go on.
func TestWithoutBffWebTheGatewayShowsAPageOfItsOwn(t *testing.T) {
	for number := 1; number <= 2; number++ {
		replica := world.Program("bff-web", number)
		if err := replica.Stop(); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if err := replica.Start(t.Context()); err != nil {
				t.Error(err)
			}
		}()
	}
	for _, width := range []int64{wide, phone} {
		for _, scheme := range []string{"light", "dark"} {
			p := open(t, width)
			p.prefer(scheme)
			p.visit("/orders?page=2")
			p.sees("We will be right back")
			p.forgive("503")
			for _, w := range get(p, chromedp.Evaluate[[]string](access)) {
				if !strings.HasPrefix(w, "something inline: <style>") { // its policy names the style by its hash
					t.Errorf("%s, %d px: %s", scheme, width, w)
				}
			}
			if ground := get(p, chromedp.Evaluate[string](`getComputedStyle(document.body).backgroundColor`)); (ground == "rgb(22, 25, 26)") != (scheme == "dark") {
				t.Errorf("%s: the style is not applied, the ground is %s", scheme, ground)
			}
			if wider := get(p, chromedp.Evaluate[bool](`document.documentElement.scrollWidth > innerWidth`)); wider {
				t.Errorf("%d px: it is wider than the window", width)
			}
		}
	}
}
