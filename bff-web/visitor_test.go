package main

import (
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"time"

	"example.com/orderflow/pkg/identity"
	"example.com/orderflow/pkg/messages"
	"github.com/labstack/echo/v4"
)

// browser is a browser without a window.
type browser struct {
	*fixture
	cookies map[string]string
	headers map[string]string
}

// cookie returns the browser's name of one of our cookies.
func (f *fixture) cookie(name string) string {
	_, port, _ := strings.Cut(strings.TrimPrefix(f.url, "http://"), ":")
	return name + "_" + port
}

func (f *fixture) stranger() *browser {
	return &browser{f, map[string]string{}, map[string]string{"Accept": "text/html", "Sec-Fetch-Site": "same-origin"}}
}

// as returns the browser of a person who has signed in.
func (f *fixture) as(who string) *browser {
	f.Helper()
	scopes := []string{identity.ScopeOrders}
	switch who {
	case "olga":
		scopes = append(scopes, identity.ScopeOperations)
	case "carl":
		scopes = []string{identity.ScopeParcels}
	}
	token, err := f.issuer.Token(who, scopes, time.Hour)
	if err != nil {
		f.Fatal(err)
	}
	sealed, err := f.site.sealer.seal(session{token, identity.Caller{ID: who, Scopes: scopes}, time.Now().Add(time.Hour)})
	if err != nil {
		f.Fatal(err)
	}
	b := f.stranger()
	b.cookies[f.cookie(sessionCookie)] = sealed
	return b
}

// send sends a request, keeps the cookies of the answer, and follows no redirect.
func (b *browser) send(method, path string, form url.Values) (*http.Response, string) {
	b.Helper()
	r, err := http.NewRequestWithContext(b.Context(), method, b.url+path, strings.NewReader(form.Encode()))
	if err != nil {
		b.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for name, value := range b.headers {
		r.Header.Set(name, value)
	}
	for _, name := range slices.Sorted(maps.Keys(b.cookies)) {
		r.AddCookie(&http.Cookie{Name: name, Value: b.cookies[name]})
	}
	answer, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		b.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range answer.Cookies() {
		if b.cookies[c.Name] = c.Value; c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		}
	}
	return answer, string(body)
}

// loads sends a GET request. The page must contain these texts.
func (b *browser) loads(status int, path string, wants ...string) string {
	b.Helper()
	answer, page := b.send(http.MethodGet, path, nil)
	if answer.StatusCode != status {
		b.Fatalf("%s: %s, %s", path, answer.Status, page)
	}
	for _, want := range wants {
		if !strings.Contains(page, want) {
			b.Errorf("%s lacks %q:\n%s", path, want, page)
		}
	}
	return page
}

// posts sends a form that must lead to another page.
func (b *browser) posts(path, to string, fields ...string) {
	b.Helper()
	form := url.Values{}
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	answer, page := b.send(http.MethodPost, path, form)
	if answer.StatusCode != http.StatusSeeOther || answer.Header.Get("Location") != to {
		b.Fatalf("%s: %s to %q, want %q: %s", path, answer.Status, answer.Header.Get("Location"), to, page)
	}
}

// cart returns the content of the browser's cart as a form has it, sorted by SKU.
func (b *browser) cart() string {
	b.Helper()
	c := echo.New().NewContext(httptest.NewRequest(http.MethodGet, b.url, nil), nil)
	for name, value := range b.cookies {
		c.Request().AddCookie(&http.Cookie{Name: name, Value: value})
	}
	k := cartOf(c)
	slices.SortFunc(k, func(x, y messages.Line) int { return strings.Compare(x.SKU, y.SKU) })
	return k.String()
}

// copied returns a copy of the browser. Cookies that one of the two gets are unknown to the other.
func (b *browser) copied() *browser { return &browser{b.fixture, maps.Clone(b.cookies), b.headers} }

// hears copies the cookies that another tab has got since a moment.
func (b *browser) hears(tab, since *browser) {
	for name, value := range tab.cookies {
		if since.cookies[name] != value {
			b.cookies[name] = value
		}
	}
	for name := range since.cookies {
		if _, ok := tab.cookies[name]; !ok {
			delete(b.cookies, name)
		}
	}
}
