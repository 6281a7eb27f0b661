package main

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"example.com/orderflow/pkg/identity"
)

func TestASessionIsOpenedOnlyAsItWasSealedAndOnlyInItsTime(t *testing.T) {
	t.Parallel()
	log := slog.New(slog.DiscardHandler)
	ours, _ := newSealer(bytes.Repeat([]byte{1}, sealKeySize), log)
	replica, _ := newSealer(bytes.Repeat([]byte{1}, sealKeySize), log)
	other, _ := newSealer(nil, log)
	end := time.Now().Add(time.Hour)
	sealed, err := ours.seal(session{"a-token", identity.Caller{ID: "alice"}, end})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(sealed, "token") || strings.Contains(sealed, "alice") {
		t.Error("it can be read")
	}
	if again, _ := ours.seal(session{"a-token", identity.Caller{ID: "alice"}, end}); again == sealed {
		t.Error("two are the same")
	}
	if who := replica.open(sealed, time.Now()); who == nil || who.Token != "a-token" || who.Name() != "Alice" || who.Operator() {
		t.Errorf("another replica reads %+v", who)
	}
	changed := "A" + sealed[1:]
	if changed == sealed {
		changed = "B" + sealed[1:]
	}
	for what, who := range map[string]*session{
		"another key":  other.open(sealed, time.Now()),
		"too late":     ours.open(sealed, end),
		"changed":      ours.open(changed, time.Now()),
		"cut":          ours.open(sealed[:20], time.Now()),
		"empty":        ours.open("", time.Now()),
		"not a base64": ours.open("!", time.Now()),
	} {
		if who != nil {
			t.Errorf("%s: it is opened", what)
		}
	}
}

func TestAKeyOfAnotherSizeIsAMistakeInTheSettings(t *testing.T) {
	t.Parallel()
	var key sealKey
	for text, good := range map[string]bool{"": false, "c2hvcnQ=": false, "?": false, strings.Repeat("A", 43) + "=": true} {
		if err := key.UnmarshalText([]byte(text)); (err == nil) != good {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// gatewayKnows makes the gateway issue tokens for a client that sends the secret.
func (f *fixture) gatewayKnows(who string, scopes ...string) {
	f.answer("gateway", func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		if r.URL.Path != "/oauth/token" || r.Form.Get("client_id") != who || r.Form.Get("client_secret") != "demo" || r.Form.Get("grant_type") != "client_credentials" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		token, err := f.issuer.Token(who, scopes, time.Hour)
		if err != nil {
			f.Error(err)
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"access_token": token})
	})
}

func TestSigningInSetsACookieThatOnlyWeCanReadAndLeadsOn(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.gatewayKnows("alice", "orders")
	b := f.stranger()
	b.headers["X-Forwarded-Proto"] = "https"
	b.loads(200, "/sign-in?next=/checkout", `value="alice"`, `value="olga"`, `name="next" value="/checkout"`)
	answer, _ := b.send(http.MethodPost, "/sign-in", url.Values{"who": {"alice"}, "next": {"/checkout"}})
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
	page := b.loads(200, "/", "<span>Alice</span>", "Sign out", "My orders")
	if strings.Contains(page, "/operations") {
		t.Error("a shopper sees the console")
	}
	b.posts("/sign-out", "/")
	if b.loads(200, "/", "Sign in"); len(b.cookies) != 0 {
		t.Errorf("left behind: %v", b.cookies)
	}
}

func TestAFailedSignInIsAFriendlyPage(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.gatewayKnows("bob", "orders")
	for who, status := range map[string]int{"mallory": 400, "": 400, "alice": 400} {
		if answer, page := f.stranger().send(http.MethodPost, "/sign-in", url.Values{"who": {who}}); answer.StatusCode != status || len(answer.Cookies()) != 0 || !strings.Contains(page, "That did not work") {
			t.Errorf("%s: %s", who, answer.Status)
		}
	}
	f.services["gateway"].Close()
	if answer, page := f.stranger().send(http.MethodPost, "/sign-in", url.Values{"who": {"bob"}}); answer.StatusCode != http.StatusServiceUnavailable || strings.Contains(page, "http-equiv") {
		t.Errorf("without a gateway: %s", answer.Status)
	}
}

func TestSigningInLeadsOnlyToPathsOfOurs(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"/orders/1?cursor=2": "/orders/1?cursor=2", "": "/", "//evil.example": "/", "///evil.example": "/", "https://evil.example": "/", `/\evil.example`: "/", "orders": "/", "/\t/evil": "/",
	} {
		if got := local(path); got != want {
			t.Errorf("%q leads to %q", path, got)
		}
	}
}

func TestFormsOfOtherSitesAreRefused(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
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
		b := f.as("alice")
		b.headers = test.headers
		for _, path := range []string{"/cart", "/sign-out"} {
			answer, _ := b.send(http.MethodPost, path, url.Values{"sku": {"PEN"}, "quantity": {"1"}})
			if answer.StatusCode != test.status {
				t.Errorf("%s, %s: %s", test.name, path, answer.Status)
			}
		}
	}
	b := f.as("alice")
	b.headers["Sec-Fetch-Site"] = "cross-site"
	b.send(http.MethodPost, "/checkout", url.Values{"cart": {"PEN:1"}})
	b.send(http.MethodPost, "/orders/1/cancellation", nil)
	if f.asked("orders") != nil {
		t.Error("orders was asked")
	}
}

func TestOwnPagesNeedASignIn(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for _, path := range []string{"/checkout", "/orders", "/orders/1", "/operations", "/operations/stock", "/operations/dead-letters"} {
		b := f.stranger()
		b.headers["Authorization"] = f.bearer("orders") // pages do not accept tokens
		answer, _ := b.send(http.MethodGet, path, nil)
		if answer.StatusCode != http.StatusSeeOther || answer.Header.Get("Location") != "/sign-in?next="+url.QueryEscape(path) {
			t.Errorf("%s: %s to %s", path, answer.Status, answer.Header.Get("Location"))
		}
	}
	for _, path := range []string{"/operations", "/operations/stock", "/operations/dead-letters"} {
		f.as("alice").loads(403, path, "This is not for you")
	}
	// The API does not accept cookies.
	if answer, _ := f.as("olga").send(http.MethodGet, "/api/operations/dead-letters", nil); answer.StatusCode != http.StatusUnauthorized {
		t.Errorf("the API with a cookie: %s", answer.Status)
	}
	if answer, _ := f.as("alice").send(http.MethodGet, "/", nil); answer.Header.Get("Cache-Control") != "no-store" {
		t.Error("a page of hers is kept")
	}
}

func TestATokenThatIsRefusedLeadsToTheSignIn(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.answer("orders", says(401, `{}`))
	b := f.as("alice")
	answer, _ := b.send(http.MethodGet, "/orders", nil)
	if answer.StatusCode != http.StatusSeeOther || answer.Header.Get("Location") != "/sign-in?next=%2Forders" || b.cookies[b.cookie(sessionCookie)] != "" {
		t.Errorf("%s to %s", answer.Status, answer.Header.Get("Location"))
	}
}
