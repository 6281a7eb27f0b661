package main

import (
	"net/http"
	"testing"
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
		{"/livez", 200}, {"/", 200}, {"/api/orders", 200}, {"/api/products", 200}, {"/api/unknown", 404}, {"/.well-known/jwks.json", 200}, {"/api/shipments/1", 503},
	} {
		a := f.call("GET", test.path, "", "Authorization", token)
		want := map[string]string{
			"X-Content-Type-Options": "nosniff", "X-Frame-Options": "DENY", "Content-Security-Policy": "frame-ancestors 'none'",
			"Referrer-Policy": "same-origin", "Strict-Transport-Security": "", "Access-Control-Allow-Origin": "",
		}
		if test.path == "/" { // knows better
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
	if a := preflight(closed, "/api/orders", "https://shop.example"); a.StatusCode != http.StatusMethodNotAllowed || a.Header.Get("Access-Control-Allow-Origin") != "" {
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
