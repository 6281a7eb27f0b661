package site_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"example.com/orderflow/bff-web/app/apptest"
	"example.com/orderflow/bff-web/internal/visitor"
)

func TestASessionThatEndsAtAnotherFormLeadsBackToItsPage(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	for referer, next := range map[string]string{"http://shop.example/orders/7?x=1": "%2Forders%2F7%3Fx%3D1", "": "%2F", "::": "%2F", "http://evil.example//evil": "%2F"} {
		b := f.Stranger()
		b.Headers["Referer"] = referer
		b.Posts("/orders/7/cancellation", "/sign-in?next="+next)
		b.Loads(200, "/sign-in?next="+next, "Your session has ended. Nothing was done")
	}
}

func TestSigningInSetsACookieThatOnlyWeCanReadAndLeadsOn(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	f.GatewayKnows("alice", "orders")
	b := f.Stranger()
	b.Headers["X-Forwarded-Proto"] = "https"
	b.Loads(200, "/sign-in?next=/checkout", `value="alice"`, `value="olga"`, `name="next" value="/checkout"`)
	answer, _ := b.Send(http.MethodPost, "/sign-in", url.Values{"who": {"alice"}, "next": {"/checkout"}})
	if answer.StatusCode != http.StatusSeeOther || answer.Header.Get("Location") != "/checkout" {
		t.Fatalf("%s to %s", answer.Status, answer.Header.Get("Location"))
	}
	cookie := answer.Cookies()[0]
	if !cookie.HttpOnly || !cookie.Secure || cookie.SameSite != http.SameSiteLaxMode || cookie.Path != "/" {
		t.Errorf("%+v", cookie)
	}
	if left := time.Until(cookie.Expires); left > time.Hour || left < 59*time.Minute {
		t.Errorf("the cookie lives for %s, its token for an hour", left)
	}
	page := b.Loads(200, "/", "<span>Alice</span>", "Sign out", "My orders")
	if strings.Contains(page, "/operations") {
		t.Error("a shopper sees the console")
	}
	b.Posts("/sign-out", "/")
	if b.Loads(200, "/", "Sign in"); len(b.Cookies) != 0 {
		t.Errorf("left behind: %v", b.Cookies)
	}
}

func TestAFailedSignInIsAFriendlyPage(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	f.GatewayKnows("bob", "orders")
	for who, status := range map[string]int{"mallory": 400, "": 400, "alice": 400} {
		if answer, page := f.Stranger().Send(http.MethodPost, "/sign-in", url.Values{"who": {who}}); answer.StatusCode != status || len(answer.Cookies()) != 0 || !strings.Contains(page, "That did not work") {
			t.Errorf("%s: %s", who, answer.Status)
		}
	}
	f.Services["gateway"].Close()
	if answer, page := f.Stranger().Send(http.MethodPost, "/sign-in", url.Values{"who": {"bob"}}); answer.StatusCode != http.StatusServiceUnavailable || strings.Contains(page, "http-equiv") {
		t.Errorf("without a gateway: %s", answer.Status)
	}
}

func TestFormsOfOtherSitesAreRefused(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	for _, test := range []struct {
		name    string
		headers map[string]string
		status  int
	}{
		{"ours", map[string]string{"Sec-Fetch-Site": "same-origin"}, 303},
		{"ours, of an old browser behind a gateway", map[string]string{"Origin": "https://shop.example", "X-Forwarded-Host": "shop.example"}, 303},
		{"no browser's", map[string]string{}, 303},
		{"ours, behind TLS that writes the port", map[string]string{"Origin": "https://shop.example", "X-Forwarded-Host": "shop.example:443"}, 303},
		{"ours, behind TLS that leaves it out", map[string]string{"Origin": "https://shop.example:443", "X-Forwarded-Host": "Shop.Example"}, 303},
		{"ours, at port 80", map[string]string{"Origin": "http://shop.example", "X-Forwarded-Host": "shop.example:80"}, 303},
		{"ours, by an address", map[string]string{"Origin": "http://[2001:db8::1]:8080", "X-Forwarded-Host": "[2001:DB8:0::1]:8080"}, 303},
		{"another port's", map[string]string{"Origin": "https://shop.example:8443", "X-Forwarded-Host": "shop.example:443"}, 403},
		{"another scheme's, at its port", map[string]string{"Origin": "http://shop.example", "X-Forwarded-Host": "shop.example:443"}, 403},
		{"a page without an origin", map[string]string{"Origin": "null", "X-Forwarded-Host": "null"}, 403},
		{"nonsense", map[string]string{"Origin": "https://", "X-Forwarded-Host": "/"}, 403},
		{"another site's", map[string]string{"Sec-Fetch-Site": "cross-site"}, 403},
		{"a sister site's", map[string]string{"Sec-Fetch-Site": "same-site"}, 403},
		{"another site's, of an old browser", map[string]string{"Origin": "https://evil.example", "X-Forwarded-Host": "shop.example"}, 403},
	} {
		b := f.As("alice")
		b.Headers = test.headers
		for _, path := range []string{"/cart", "/sign-out"} {
			answer, _ := b.Send(http.MethodPost, path, url.Values{"sku": {"PEN"}, "quantity": {"1"}})
			if answer.StatusCode != test.status {
				t.Errorf("%s, %s: %s", test.name, path, answer.Status)
			}
		}
	}
	b := f.As("alice")
	b.Headers["Sec-Fetch-Site"] = "cross-site"
	b.Send(http.MethodPost, "/checkout", url.Values{"cart": {"PEN:1"}})
	b.Send(http.MethodPost, "/orders/1/cancellation", nil)
	if f.Asked("orders") != nil {
		t.Error("orders was asked")
	}
}

func TestOwnPagesNeedASignIn(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	for _, path := range []string{"/checkout", "/orders", "/orders/1", "/operations", "/operations/stock", "/operations/dead-letters"} {
		b := f.Stranger()
		b.Headers["Authorization"] = f.Bearer("orders") // pages do not accept tokens
		answer, _ := b.Send(http.MethodGet, path, nil)
		if answer.StatusCode != http.StatusSeeOther || answer.Header.Get("Location") != "/sign-in?next="+url.QueryEscape(path) {
			t.Errorf("%s: %s to %s", path, answer.Status, answer.Header.Get("Location"))
		}
	}
	for _, path := range []string{"/operations", "/operations/stock", "/operations/dead-letters"} {
		f.As("alice").Loads(403, path, "This is not for you")
	}
	// The API does not accept cookies.
	if answer, _ := f.As("olga").Send(http.MethodGet, "/api/operations/dead-letters", nil); answer.StatusCode != http.StatusUnauthorized {
		t.Errorf("the API with a cookie: %s", answer.Status)
	}
	if answer, _ := f.As("alice").Send(http.MethodGet, "/", nil); answer.Header.Get("Cache-Control") != "no-store" {
		t.Error("a page of hers is kept")
	}
}

func TestATokenThatIsRefusedLeadsToTheSignIn(t *testing.T) {
	t.Parallel()
	f := apptest.New(t)
	f.Answer("orders", apptest.Says(401, `{}`))
	b := f.As("alice")
	answer, _ := b.Send(http.MethodGet, "/orders", nil)
	if answer.StatusCode != http.StatusSeeOther || answer.Header.Get("Location") != "/sign-in?next=%2Forders" || b.Cookies[b.Cookie(visitor.SessionCookie)] != "" {
		t.Errorf("%s to %s", answer.Status, answer.Header.Get("Location"))
	}
}
