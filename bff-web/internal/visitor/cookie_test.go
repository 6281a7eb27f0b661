package visitor_test

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"example.com/orderflow/bff-web/app/apptest"
	"example.com/orderflow/bff-web/internal/visitor"
)

// A browser sends the cookies of one port to all ports of a host.
func TestTwoCopiesAtTwoPortsOfAHostDoNotShareTheirCookies(t *testing.T) {
	t.Parallel()
	one, other := apptest.New(t), apptest.New(t)
	b := one.As("alice")
	b.Posts("/cart", "/cart#PEN", "sku", "PEN", "quantity", "2", "what", "set")
	there := other.Stranger()
	there.Cookies = b.Cookies // the same browser
	there.Loads(200, "/", "Sign in")
	there.Posts("/cart", "/cart#MUG-BLUE", "sku", "MUG-BLUE", "quantity", "7", "what", "set")
	if there.Cart() != "MUG-BLUE:7" {
		t.Errorf("the cookies are %v", b.Cookies)
	}
	there.Posts("/sign-out", "/")
	if b.Loads(200, "/", "<span>Alice</span>"); b.Cart() != "PEN:2" || there.Cart() != "" {
		t.Errorf("the cookies are %v", b.Cookies)
	}
}

func TestACookieIsNamedAfterTheHostThatTheBrowserUses(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	for name, test := range map[string]struct{ host, proto, suffix, prefix string }{
		"behind a proxy with TLS":           {"shop.example", "https", "_443", "__Host-"},
		"at another port":                   {"shop.example:8443", "https", "_8443", "__Host-"},
		"without TLS":                       {"shop.example", "http", "_80", ""},
		"at a port that goes without":       {"shop.example:80", "http", "_80", ""},
		"IPv6":                              {"[::1]:8080", "http", "_8080", ""},
		"nonsense gets into no cookie":      {"shop.example:80;x=y", "http", "_", ""},
		"nor does what is too big a number": {"shop.example:99999", "http", "_", ""},
	} {
		b := f.As("alice")
		b.Headers["X-Forwarded-Host"], b.Headers["X-Forwarded-Proto"] = test.host, test.proto
		b.Send(http.MethodPost, "/cart", url.Values{"sku": {"PEN"}, "quantity": {"1"}})
		named := func(cookie string) bool {
			return strings.HasPrefix(cookie, test.prefix+apptest.CartCookie+".PEN.") && strings.HasSuffix(cookie, test.suffix)
		}
		if !slices.ContainsFunc(slices.Collect(maps.Keys(b.Cookies)), named) {
			t.Errorf("%s: no cookie of the cart in %v", name, b.Cookies)
		}
		if page := b.Loads(200, "/cart"); !strings.Contains(page, `value="PEN"`) {
			t.Errorf("%s: the cart is empty", name)
		}
	}
}

func TestCookiesOfReleasesThatKnewNoPortsAreReadAndThenRemoved(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	b := f.As("alice")
	b.Cookies = map[string]string{visitor.SessionCookie: b.Cookies[f.Cookie(visitor.SessionCookie)], apptest.CartCookie: "PEN:1"}
	b.Loads(200, "/", "<span>Alice</span>")
	b.Posts("/cart", "/#PEN", "sku", "PEN", "quantity", "1")
	if _, old := b.Cookies[apptest.CartCookie]; old || b.Cart() != "PEN:2" {
		t.Errorf("the cookies are %v", b.Cookies)
	}
	b.Posts("/sign-out", "/")
	if b.Loads(200, "/", "Sign in"); b.Cookies[visitor.SessionCookie] != "" {
		t.Errorf("the cookies are %v", b.Cookies)
	}
}
