package browser

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"example.com/orderflow/local/system"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
)

// says waits until the page's element .sign begins with word.
func (p *tab) says(word string) {
	p.Helper()
	p.holds("the sign says "+word, `document.querySelector(".sign").innerText.startsWith("`+word+`")`)
}

// beside opens another window of the same person.
func (p *tab) beside() *tab {
	p.Helper()
	ctx, closeWindow := chromedp.NewContext(p.ctx)
	p.Cleanup(closeWindow)
	q := &tab{T: p.T, ctx: ctx, at: p.at}
	if err := chromedp.Do(ctx); err != nil {
		p.Fatal(err)
	}
	return q
}

// A browser keeps six connections to a host. If each order's page held one, the seventh page and all others would hang. The
// test stops parts that others use, so it ends before the parallel tests go on.
func TestSevenOrdersAreLiveInOneBrowserAndAnEighthPageLoads(t *testing.T) {
	var streams atomic.Int32
	p := open(t, wide)
	p.at = before(t, func(_ *http.Request, body io.ReadCloser) io.ReadCloser {
		streams.Add(1)
		return closing{body, func() { streams.Add(-1) }}
	})
	p.signIn("Alice", "/")
	each(t, "shipping", (*system.Part).Stop) // so that the orders wait
	var orders []string
	for range 7 {
		p.buy("Folding", "tok_visa")
		p.becomes("Paid")
		orders = append(orders, p.path())
	}
	tabs := []*tab{p}
	for _, order := range orders[:6] {
		q := p.beside()
		q.visit(order)
		tabs = append(tabs, q)
	}
	for _, q := range tabs {
		q.says("Live: what changes")
		q.do(chromedp.Evaluate[chromedp.Void](`window.same = true`))
	}
	if n := streams.Load(); n != 1 {
		t.Errorf("seven pages have %d streams", n)
	}
	eighth := p.beside()
	eighth.visit("/orders")
	eighth.sees("My orders")

	each(t, "bff-web", (*system.Part).Stop)
	tabs[3].says("Reconnecting. What you see is of ")
	each(t, "bff-web", func(r *system.Part) error { return r.Start(t.Context()) })
	for _, q := range tabs {
		q.says("Live: what changes")
	}
	each(t, "shipping", func(r *system.Part) error { return r.Start(t.Context()) })
	for _, q := range tabs {
		q.becomes("Delivered")
		if !get(q, chromedp.Evaluate[bool](`window.same === true`)) {
			t.Error("a page was loaded again")
		}
		q.says("") // nothing more will happen to the order
	}
	p.until("the stream is closed", func() bool { return streams.Load() == 0 })
	// Messages of the browser while bff-web is away are no mistake of the page.
	p.mu.Lock()
	p.problems = nil
	p.mu.Unlock()
}

// A notification does not replace the page while an operator types. The changes are shown when they have finished. The test
// stops parts that others use, so it ends before the parallel tests go on.
func TestInputOutlivesANotification(t *testing.T) {
	p, q := open(t, wide), open(t, wide)
	p.signIn("Alice", "/")
	each(t, "shipping", (*system.Part).Stop) // so that the order waits
	p.buy("Folding", "tok_visa")
	p.becomes("Paid")
	q.signIn("Olga", p.path())
	q.says("Live: what changes")
	q.do(chromedp.Click(chromedp.CSS(".confirm summary")), chromedp.SendKeys(chromedp.CSS(".confirm input"), "by pho"))
	each(t, "shipping", func(r *system.Part) error { return r.Start(t.Context()) })
	q.becomes("Delivered")
	q.do(chromedp.SendKeys(chromedp.CSS(".confirm input"), "ne"))
	if typed := get(q, chromedp.Evaluate[string](`document.querySelector(".confirm input").value`)); typed != "by phone" {
		t.Errorf("of what was typed is left %q", typed)
	}
	q.do(chromedp.Evaluate[chromedp.Void](`document.activeElement.value = ""; document.activeElement.blur()`))
	q.holds("what was left out", `!document.querySelector(".confirm") && document.querySelector("#facts").innerText.includes("Delivered")`)
}

// each calls do for both replicas.
func each(t *testing.T, program string, do func(*system.Part) error) {
	t.Helper()
	for number := 1; number <= 2; number++ {
		if err := do(world.Program(program, number)); err != nil {
			t.Fatal(err)
		}
	}
}

// A connection that is lost without notice, for example while a laptop sleeps, brings nothing and never ends. The page notices
// that the heartbeats are missing.
func TestAStreamThatDiesInSilenceIsNoticed(t *testing.T) {
	t.Parallel()
	var dead atomic.Bool
	p := open(t, wide)
	p.at = before(t, func(r *http.Request, body io.ReadCloser) io.ReadCloser {
		if dead.CompareAndSwap(false, true) { // the first one
			return silent{body, r.Context().Done()}
		}
		return body
	})
	p.signIn("Alice", "/")
	p.buy("Folding", "tok_visa")
	p.do(chromedp.Evaluate[chromedp.Void](`window.same = true`))
	p.becomes("Delivered")
	if !get(p, chromedp.Evaluate[bool](`window.same === true`)) {
		t.Error("the page was loaded again")
	}
}

// Without a SharedWorker, as on some phones, the page polls.
func TestABrowserWithoutSharedWorkersAsksInstead(t *testing.T) {
	t.Parallel()
	p := open(t, phone)
	p.signIn("Alice", "/")
	p.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, page.AddScriptToEvaluateOnNewDocument, page.AddScriptToEvaluateOnNewDocumentParams{Source: `delete window.SharedWorker`})
		return err
	}))
	p.buy("Folding", "tok_visa")
	p.says("Live: looked at every 3 seconds")
	p.becomes("Delivered")
}

// before is a proxy in front of the gateway. It passes each stream through handle.
func before(t *testing.T, handle func(*http.Request, io.ReadCloser) io.ReadCloser) string {
	t.Helper()
	to, err := url.Parse(world.GatewayURL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{
		FlushInterval: -1,
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.Host = r.In.Host
		},
		ModifyResponse: func(a *http.Response) error {
			if strings.HasPrefix(a.Header.Get("Content-Type"), "text/event-stream") {
				a.Body = handle(a.Request, a.Body)
			}
			return nil
		},
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
	s := httptest.NewServer(proxy)
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s.URL
}

// silent is a body that yields nothing until the reader closes it.
type silent struct {
	io.ReadCloser
	gone <-chan struct{}
}

func (s silent) Read([]byte) (int, error) {
	<-s.gone
	return 0, io.ErrUnexpectedEOF
}

// closing calls a function when it is closed.
type closing struct {
	io.ReadCloser
	closed func()
}

func (c closing) Close() error {
	c.closed()
	return c.ReadCloser.Close()
}

func TestTimesAreThoseOfTheReadersZone(t *testing.T) {
	t.Parallel()
	p := open(t, wide)
	p.do(chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: "Asia/Tokyo"})
		return err
	}))
	p.signIn("Olga", "/")
	p.buy("Folding", "tok_visa")
	p.holds("the times are Tokyo's, to the millisecond, and tell UTC, too", `[...document.querySelectorAll(".timeline time")].every((t) =>
		/:\d\d\.\d{3} GMT\+9$/.test(t.innerText) && /UTC$/.test(t.title) && t.dateTime.endsWith("Z"))`)
	p.becomes("Delivered")
	p.holds("they still are after the page was refreshed", `document.querySelector(".timeline").innerText.split("GMT+9").length > 5`)
}
