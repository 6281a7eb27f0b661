package main

import (
	"bufio"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"example.com/orderflow/pkg/web"
)

const (
	chromium = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7"
	firefox  = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
)

func TestAPersonGetsAPageAndAProgramAProblem(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.behind["bff"].Close()
	for accept, page := range map[string]bool{
		chromium: true, firefox: true, "text/html": true, "TEXT/HTML": true, "text/*": true, "text/html, application/json;q=0.9": true,
		"*/*": false, "application/json": false, "application/json, text/plain, */*": false, "": false, "text/html, application/json": false,
		"text/html;q=0.5, */*": false, "text/html;q=0": false, "text/html;q=0, text/*": false, "application/problem+json, text/html": false, "text/event-stream": false,
	} {
		headers := []string{"Accept", accept}
		if accept == "" {
			headers = nil
		}
		a := f.call("GET", "/cart", "", headers...)
		if a.StatusCode != http.StatusServiceUnavailable || !strings.Contains(strings.Join(a.Header.Values("Vary"), ","), "Accept") || a.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%q: %s %v", accept, a.Status, a.Header)
		}
		if !page {
			a.problem(t)
		} else if !strings.HasPrefix(a.Header.Get("Content-Type"), "text/html") || !strings.Contains(a.body, "<h1>We will be right back</h1>") {
			t.Errorf("%q: %s %s", accept, a.Header.Get("Content-Type"), a.body)
		}
	}
}

func TestEveryErrorOfTheGatewayIsAPageForABrowser(t *testing.T) {
	t.Parallel()
	f, late := newFixture(t), newFixture(t, hasty)
	f.behind["payments"].Close()
	late.behind["shipping"].answers(silent)
	f.behind["inventory"].answers(says(500, "text/html", "stack"))
	f.behind["bff"].answers(says(404, web.ProblemType, `{"status":404}`))
	olga := f.bearer("olga", "operations")
	big := strings.Repeat("x", 2<<20)
	for _, test := range []struct {
		method, path, body string
		header             []string
		status             int
		says               string
	}{
		{"GET", "/metrics", "", nil, 404, "There is nothing here"},
		{"GET", "/static/none", "", nil, 404, "There is nothing here"},
		{"GET", "/api/unknown", "", nil, 404, "There is nothing at this path."},
		{"GET", "/api/orders", "", nil, 401, "A bearer token is needed."},
		{"GET", "/api/stock", "", []string{"Authorization", f.bearer("alice", "orders")}, 403, "lacks the scope"},
		{"DELETE", "/cart", "", nil, 405, "See Allow."},
		{"POST", "/cart", big, nil, 413, "The body is too large."},
		{"GET", "/", "", []string{"Accept-Language", big[:40<<10]}, 431, "The header has more"},
		{"GET", "/api/products", "", nil, 502, "A part of the system has failed."},
		{"GET", "/api/payments/1", "", []string{"Authorization", olga}, 503, "Please wait for"},
		{"GET", "/api/shipments/1", "", []string{"Authorization", olga}, 504, "Error 504"},
		{"HEAD", "/metrics", "", nil, 404, ""},
	} {
		from := f
		if test.status == http.StatusGatewayTimeout {
			from = late
		}
		a := from.call(test.method, test.path, test.body, append(test.header, "Accept", chromium)...)
		name := test.method + " " + test.path
		if a.StatusCode != test.status || !strings.HasPrefix(a.Header.Get("Content-Type"), "text/html") {
			t.Errorf("%s: %s %v %s", name, a.Status, a.Header, a.body)
			continue
		}
		if !strings.Contains(strings.ToLower(a.body), strings.ToLower(test.says)) || test.method == "HEAD" && a.body != "" {
			t.Errorf("%s says %s", name, a.body)
		}
		if test.method != "HEAD" {
			f.keepsToItsPolicy(a)
		}
		if strings.HasPrefix(test.path, "/api") == strings.Contains(a.body, "http-equiv") && test.status >= 500 {
			t.Errorf("%s: loaded again by itself: %s", name, a.body)
		}
	}
}

// keepsToItsPolicy checks that a browser shows the page completely, and that the page loads nothing from elsewhere.
func (f *fixture) keepsToItsPolicy(a gotten) {
	f.Helper()
	style := regexp.MustCompile(`(?s)<style>(.*?)</style>`).FindStringSubmatch(a.body)
	if style == nil {
		f.Fatalf("there is no style: %s", a.body)
	}
	hash := sha256.Sum256([]byte(style[1]))
	if policy := a.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "style-src 'sha256-"+base64.StdEncoding.EncodeToString(hash[:])+"'") || strings.Contains(policy, "unsafe") {
		f.Errorf("the policy is %q", policy)
	}
	if found := regexp.MustCompile(`(?i)<script|\sstyle=|\son[a-z]+=|src=|url\(|href="(https?:)?//`).FindString(a.body); found != "" {
		f.Errorf("the page has %q", found)
	}
	if !strings.Contains(a.body, a.Header.Get("X-Request-Id")) {
		f.Error("the page does not tell its number")
	}
}

// A page is loaded again only after the time that the server asks for, and only if that does nothing twice.
func TestAPageIsLoadedAgainPolitely(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(c *config) { c.Limits.PerAddress = 0.01 })
	frozen := f.gateway.addresses.now()
	f.gateway.addresses.now = func() time.Time { return frozen }
	f.call("GET", "/", "")
	a := f.call("GET", "/orders?page=2&x=%22%3E", "", "Accept", chromium)
	if a.StatusCode != http.StatusTooManyRequests || a.Header.Get("Retry-After") != "100" {
		t.Fatalf("%s, Retry-After %q", a.Status, a.Header.Get("Retry-After"))
	}
	again := regexp.MustCompile(`<meta http-equiv="refresh" content="(\d+)">`).FindStringSubmatch(a.body)
	if again == nil {
		t.Fatalf("it is not loaded again: %s", a.body)
	}
	if n, _ := strconv.Atoi(again[1]); n < 100 || n > 110 || !strings.Contains(a.body, `href="/orders?page=2&amp;x=%22%3E"`) {
		t.Errorf("it is loaded again after %d s: %s", n, a.body)
	}
	if a := f.call("POST", "/cart", "", "Accept", chromium); strings.Contains(a.body, "http-equiv") || !strings.Contains(a.body, "Please wait for 100 seconds") {
		t.Errorf("a form is sent again: %s", a.body)
	}
	conn, err := net.Dial("tcp", strings.TrimPrefix(f.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = fmt.Fprintf(conn, "GET //evil.example/ HTTP/1.1\r\nHost: x\r\nAccept: text/html\r\nConnection: close\r\n\r\n")
	answer, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	for lines := bufio.NewScanner(answer.Body); lines.Scan(); {
		if strings.Contains(lines.Text(), `"//evil`) {
			t.Errorf("the page leads elsewhere: %s", lines.Text())
		}
	}
}
