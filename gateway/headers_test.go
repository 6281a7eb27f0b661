package main

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestEveryAnswerIsProtected(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.behind["bff"].answers(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'self'")
		w.Header().Set("Referrer-Policy", "no-referrer")
	})
	f.behind["shipping"].Close()
	token := f.bearer("olga", "orders", "operations")
	for _, test := range []struct {
		path   string
		status int
	}{
		{"/livez", 200}, {"/cart", 200}, {"/api/orders", 200}, {"/api/products", 200}, {"/api/unknown", 404}, {"/.well-known/jwks.json", 200}, {"/api/shipments/1", 503},
	} {
		a := f.call("GET", test.path, "", "Authorization", token)
		want := map[string]string{
			"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Content-Security-Policy": "frame-ancestors 'none'",
			"Referrer-Policy": "same-origin", "Strict-Transport-Security": "", "Access-Control-Allow-Origin": "",
		}
		if test.path == "/cart" { // bff-web sets its own
			want["Content-Security-Policy"], want["Referrer-Policy"] = "default-src 'self'", "no-referrer"
		}
		for name, value := range want {
			if got := a.Header.Get(name); got != value {
				t.Errorf("%s: %s %q, not %q", test.path, name, got, value)
			}
		}
		if a.StatusCode != test.status {
			t.Errorf("%s: %s", test.path, a.Status)
		}
	}
}

func TestOtherOriginsGetIntoTheAPIOnlyWhenTheyAreNamed(t *testing.T) {
	t.Parallel()
	preflight := func(f *fixture, path, origin string) gotten {
		return f.call("OPTIONS", path, "", "Origin", origin, "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization")
	}
	closed := newFixture(t)
	if a := preflight(closed, "/api/orders", "https://shop.example"); a.Header.Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("by default: %s", a.Status)
	}
	f := newFixture(t, func(c *config) { c.Origins = []string{"https://shop.example"} })
	for _, test := range []struct {
		path, origin string
		allowed      string
	}{
		{"/api/orders", "https://shop.example", "https://shop.example"},
		{"/oauth/token", "https://shop.example", "https://shop.example"},
		{"/api/orders", "https://evil.example", ""},
		{"/api/orders", "https://shop.example.evil.example", ""},
		{"/api/orders", "null", ""},
		{"/cart", "https://shop.example", ""},
	} {
		a := preflight(f, test.path, test.origin)
		if got := a.Header.Get("Access-Control-Allow-Origin"); got != test.allowed || (got != "") != (a.Header.Get("Access-Control-Allow-Headers") != "") || a.Header.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%s from %s: %v", test.path, test.origin, a.Header)
		}
	}
	a := f.call("GET", "/api/products", "", "Origin", "https://shop.example")
	if a.StatusCode != 200 || a.Header.Get("Access-Control-Allow-Origin") != "https://shop.example" || a.Header.Get("Cross-Origin-Resource-Policy") != "cross-origin" {
		t.Errorf("%s %v", a.Status, a.Header)
	}
}

// If a script cannot read an answer, it only learns that something went wrong.
func TestEveryAnswerToAnAllowedOriginCanBeRead(t *testing.T) {
	t.Parallel()
	const origin = "https://shop.example"
	f := newFixture(t, func(c *config) { c.Origins = []string{origin}; c.Limits.PerCaller = 3 })
	frozen := time.Now()
	f.gateway.callers.now = func() time.Time { return frozen }
	f.behind["payments"].Close()
	f.behind["bff"].answers(says(500, "text/html", "oops"))
	f.behind["inventory"].answers(func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("Vary", "Accept-Language") })
	big := strings.Repeat("x", 2<<20)
	for _, test := range []struct {
		method, path, body string
		status             int
		headers            []string
	}{
		{"GET", "/api/orders", "", 200, []string{"Authorization", f.bearer("a", "orders")}},
		{"GET", "/api/orders", "", 401, nil},
		{"GET", "/api/stock", "", 403, []string{"Authorization", f.bearer("b", "orders")}},
		{"GET", "/api/unknown", "", 404, nil},
		{"DELETE", "/api/orders", "", 405, nil},
		{"POST", "/api/orders", big, 413, []string{"Authorization", f.bearer("c", "orders")}},
		{"GET", "/api/orders", "", 431, []string{"Accept-Language", big[:40<<10]}},
		{"GET", "/api/operations/dead-letters", "", 502, []string{"Authorization", f.bearer("d", "operations")}},
		{"GET", "/api/payments/1", "", 503, []string{"Authorization", f.bearer("e", "operations")}},
		{"GET", "/api/products", "", 200, nil},
		{"POST", "/oauth/token", "", 400, nil},
		{"GET", "/.well-known/jwks.json", "", 200, nil},
	} {
		a := f.call(test.method, test.path, test.body, append(test.headers, "Origin", origin)...)
		if a.StatusCode != test.status {
			t.Errorf("%s %s: %s, not %d", test.method, test.path, a.Status, test.status)
		}
		readable(t, a, origin)
	}
	var a gotten
	for range 8 {
		a = f.call("GET", "/api/orders", "", "Origin", origin, "Authorization", f.bearer("often", "orders"))
	}
	if a.StatusCode != http.StatusTooManyRequests {
		t.Errorf("the last of many: %s", a.Status)
	}
	readable(t, a, origin)
	late := newFixture(t, hasty, func(c *config) { c.Origins = []string{origin} })
	late.behind["shipping"].answers(silent)
	if a = late.call("GET", "/api/shipments/1", "", "Origin", origin, "Authorization", f.bearer("f", "operations")); a.StatusCode != http.StatusGatewayTimeout {
		t.Errorf("no answer: %s", a.Status)
	}
	readable(t, a, origin)
	a = f.call("GET", "/api/orders", "", "Origin", "https://evil.example")
	if a.Header.Get("Access-Control-Allow-Origin") != "" || !strings.Contains(strings.Join(a.Header.Values("Vary"), ","), "Origin") {
		t.Errorf("another origin: %v", a.Header)
	}
}

func readable(t *testing.T, a gotten, origin string) {
	t.Helper()
	show := strings.ToLower(a.Header.Get("Access-Control-Expose-Headers"))
	vary := strings.Join(a.Header.Values("Vary"), ",")
	if a.Header.Get("Access-Control-Allow-Origin") != origin || a.Header.Get("Cross-Origin-Resource-Policy") != "cross-origin" || !strings.Contains(vary, "Origin") {
		t.Errorf("%s %s, %s: %v", a.Request.Method, a.Request.URL.Path, a.Status, a.Header)
	}
	for _, name := range []string{"etag", "location", "retry-after", "ratelimit", "ratelimit-policy", "x-request-id", "idempotency-replayed", "www-authenticate", "allow"} {
		if !strings.Contains(show, name) {
			t.Errorf("%s %s, %s: %s is not exposed", a.Request.Method, a.Request.URL.Path, a.Status, name)
		}
	}
}

func TestAPreflightAllowsAllHeadersThatALibrarySends(t *testing.T) {
	t.Parallel()
	f := newFixture(t, func(c *config) { c.Origins = []string{"https://shop.example"} })
	for _, header := range []string{"traceparent", "tracestate", "baggage", "if-match", "if-none-match", "last-event-id", "idempotency-key", "authorization,content-type", "x-request-id", "cache-control", "range"} {
		for _, path := range []string{"/api/orders", "/api/products/PEN", "/oauth/token"} {
			a := f.call("OPTIONS", path, "", "Origin", "https://shop.example", "Access-Control-Request-Method", "PUT", "Access-Control-Request-Headers", header)
			vary := strings.Join(a.Header.Values("Vary"), ",")
			if a.StatusCode != http.StatusNoContent || a.Header.Get("Access-Control-Allow-Headers") != header || !strings.Contains(a.Header.Get("Access-Control-Allow-Methods"), "PUT") ||
				!strings.Contains(vary, "Access-Control-Request-Headers") || a.Header.Get("Access-Control-Allow-Origin") != "https://shop.example" {
				t.Errorf("%s: %s for %s: %v", path, a.Status, header, a.Header)
			}
		}
	}
}
