package main

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// A browser sends the cookies of one port to all ports of a host.
func TestTwoCopiesAtTwoPortsOfAHostDoNotShareTheirCookies(t *testing.T) {
	t.Parallel()
	one, other := newFixture(t), newFixture(t)
	b := one.as("alice")
	b.posts("/cart", "/cart#PEN", "sku", "PEN", "quantity", "2", "what", "set")
	there := other.stranger()
	there.cookies = b.cookies // the same browser
	there.loads(200, "/", "Sign in")
	there.posts("/cart", "/cart#MUG-BLUE", "sku", "MUG-BLUE", "quantity", "7", "what", "set")
	if there.cart() != "MUG-BLUE:7" {
		t.Errorf("the cookies are %v", b.cookies)
	}
	there.posts("/sign-out", "/")
	if b.loads(200, "/", "<span>Alice</span>"); b.cart() != "PEN:2" || there.cart() != "" {
		t.Errorf("the cookies are %v", b.cookies)
	}
}

func TestACookieIsNamedAfterTheHostThatTheBrowserUses(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for name, test := range map[string]struct{ host, proto, suffix, prefix string }{
		"behind a proxy with TLS":           {"shop.example", "https", "_443", "__Host-"},
		"at another port":                   {"shop.example:8443", "https", "_8443", "__Host-"},
		"without TLS":                       {"shop.example", "http", "_80", ""},
		"at a port that goes without":       {"shop.example:80", "http", "_80", ""},
		"IPv6":                              {"[::1]:8080", "http", "_8080", ""},
		"nonsense gets into no cookie":      {"shop.example:80;x=y", "http", "_", ""},
		"nor does what is too big a number": {"shop.example:99999", "http", "_", ""},
	} {
		b := f.as("alice")
		b.headers["X-Forwarded-Host"], b.headers["X-Forwarded-Proto"] = test.host, test.proto
		b.send(http.MethodPost, "/cart", url.Values{"sku": {"PEN"}, "quantity": {"1"}})
		named := func(cookie string) bool {
			return strings.HasPrefix(cookie, test.prefix+cartCookie+".PEN.") && strings.HasSuffix(cookie, test.suffix)
		}
		if !slices.ContainsFunc(slices.Collect(maps.Keys(b.cookies)), named) {
			t.Errorf("%s: no cookie of the cart in %v", name, b.cookies)
		}
		if page := b.loads(200, "/cart"); !strings.Contains(page, `value="PEN"`) {
			t.Errorf("%s: the cart is empty", name)
		}
	}
}

func TestCookiesOfReleasesThatKnewNoPortsAreReadAndThenRemoved(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	b := f.as("alice")
	b.cookies = map[string]string{sessionCookie: b.cookies[f.cookie(sessionCookie)], cartCookie: "PEN:1"}
	b.loads(200, "/", "<span>Alice</span>")
	b.posts("/cart", "/#PEN", "sku", "PEN", "quantity", "1")
	if _, old := b.cookies[cartCookie]; old || b.cart() != "PEN:2" {
		t.Errorf("the cookies are %v", b.cookies)
	}
	b.posts("/sign-out", "/")
	if b.loads(200, "/", "Sign in"); b.cookies[sessionCookie] != "" {
		t.Errorf("the cookies are %v", b.cookies)
	}
}
