package main

import (
	"net/http"
	"strings"
	"testing"

	"example.com/orderflow/api"
	"example.com/orderflow/gateway/reference"
)

func TestTheDocumentsAreServedByTheGatewayAlone(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(c *config) { c.Origins = []string{"https://partner.example"} })
	for _, p := range f.behind {
		p.Close() // no program behind the gateway is needed
	}
	for path, want := range map[string]struct{ media, contains string }{
		"/docs/api":                 {"text/html; charset=utf-8", "<h1>The API of Orderflow</h1>"},
		"/docs/api.css":             {"text/css; charset=utf-8", "--ground"},
		"/docs/api.js":              {"text/javascript; charset=utf-8", "fetch("},
		"/docs/problems":            {"text/html; charset=utf-8", "total-changed"},
		"/docs/problems/key-reused": {"text/html; charset=utf-8", "<h2>What to do</h2>"},
		"/openapi.yaml":             {"application/yaml", string(api.OpenAPI)},
		"/asyncapi.yaml":            {"application/yaml", string(api.AsyncAPI)},
	} {
		a := f.call("GET", path, "", "Accept-Encoding", "identity", "Origin", "https://partner.example")
		tag := a.Header.Get("ETag")
		if a.StatusCode != 200 || a.Header.Get("Content-Type") != want.media || !strings.Contains(a.body, want.contains) || tag == "" || a.Header.Get("Cache-Control") != "public, no-cache" {
			t.Errorf("%s: %s %v", path, a.Status, a.Header)
		}
		if shared := a.Header.Get("Access-Control-Allow-Origin") != ""; shared != strings.HasSuffix(path, ".yaml") {
			t.Errorf("%s: may be read by scripts of other origins: %v", path, shared)
		}
		policy := a.Header.Get("Content-Security-Policy")
		if page := strings.HasPrefix(want.media, "text/html"); page && policy != reference.Policy || !page && policy != "frame-ancestors 'none'" {
			t.Errorf("%s: the policy is %q", path, policy)
		}
		if head := f.call("HEAD", path, "", "Accept-Encoding", "identity"); head.StatusCode != 200 || head.ContentLength != int64(len(a.body)) || head.body != "" || head.Header.Get("ETag") != tag {
			t.Errorf("HEAD %s: %s %v", path, head.Status, head.Header)
		}
		if known := f.call("GET", path, "", "If-None-Match", tag); known.StatusCode != 304 || known.body != "" || known.Header.Get("ETag") != tag {
			t.Errorf("%s again: %s %v", path, known.Status, known.Header)
		}
		if other := f.call("GET", path, "", "If-None-Match", `"other"`); other.StatusCode != 200 {
			t.Errorf("%s with another tag: %s", path, other.Status)
		}
		if post := f.call("POST", path, "{}"); post.StatusCode != 405 || post.Header.Get("Allow") != "GET, HEAD, OPTIONS" {
			t.Errorf("POST %s: %s, Allow %q", path, post.Status, post.Header.Get("Allow"))
		}
		if len(a.body) < zipLeast {
			continue
		}
		small := f.call("GET", path, "", "Accept-Encoding", "gzip")
		if small.unzipped(t) != a.body || small.Header.Get("ETag") == tag || !strings.Contains(strings.Join(small.Header.Values("Vary"), ","), "Accept-Encoding") {
			t.Errorf("%s in gzip: %v", path, small.Header)
		}
		if known := f.call("GET", path, "", "Accept-Encoding", "gzip", "If-None-Match", small.Header.Get("ETag")); known.StatusCode != 304 {
			t.Errorf("%s in gzip again: %s", path, known.Status)
		}
	}
}

func TestCurlGetsATourAndABrowserTheShop(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for accept, shop := range map[string]bool{
		chromium: true, firefox: true, "text/html": true, "TEXT/HTML;q=0.1, */*": true, "text/*": true,
		"": false, "*/*": false, "application/json": false, "text/html;q=0": false, "text/html;q=0, text/*": false, "text/plain": false,
	} {
		headers := []string{"Accept", accept}
		if accept == "" {
			headers = nil
		}
		a := f.call("GET", "/", "", headers...)
		if a.StatusCode != 200 || !strings.Contains(strings.Join(a.Header.Values("Vary"), ","), "Accept") {
			t.Errorf("%q: %s %v", accept, a.Status, a.Header)
		}
		if got := f.behind["bff"].last() != nil; got != shop {
			t.Errorf("%q: the shop is asked: %v", accept, got)
		}
		tour := strings.HasPrefix(a.Header.Get("Content-Type"), "text/plain") && strings.Contains(a.body, "api="+f.url+"\n") && a.Header.Get("Cache-Control") == "no-store"
		if tour == shop {
			t.Errorf("%q: %v %s", accept, a.Header, a.body)
		}
	}
	if a := f.call("HEAD", "/", ""); a.StatusCode != 200 || a.body != "" || !strings.HasPrefix(a.Header.Get("Content-Type"), "text/plain") || f.behind["bff"].last() != nil {
		t.Errorf("HEAD: %s %v", a.Status, a.Header)
	}
	// What a client writes into Host would be pasted into a shell.
	for host, want := range map[string]string{
		"shop.example": "http://shop.example\n", "[::1]:8080": "http://[::1]:8080\n", "$(reboot)": "http://localhost:8080\n", "a;b": "http://localhost:8080\n",
	} {
		if answer, body := f.exchange("GET / HTTP/1.1\r\nHost: " + host + "\r\nConnection: close\r\n\r\n"); answer.StatusCode == 200 && !strings.Contains(body, "api="+want) {
			t.Errorf("%s: %s", host, body)
		}
	}
	if a := f.call("GET", "/", "", "X-Forwarded-Host", "evil.example"); strings.Contains(a.body, "evil") {
		t.Error("a client that is no proxy says where the shop is")
	}
}

func TestWithoutADemoNobodyIsOfferedItsTokens(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(c *config) { c.DemoIdentity, c.JWKSURL = false, "http://127.0.0.1:1/keys" })
	for _, path := range []string{"/", "/docs/api"} {
		a := f.call("GET", path, "", "Accept", map[string]string{"/": "*/*", "/docs/api": "text/html"}[path])
		if a.StatusCode != http.StatusOK || strings.Contains(a.body, "client_id=alice") || strings.Contains(a.body, "oauth/token") {
			t.Errorf("%s: %s offers the demo's people", path, a.Status)
		}
	}
}
