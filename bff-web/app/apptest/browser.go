package apptest

import (
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"time"

	"example.com/orderflow/bff-web/internal/cart"
	"example.com/orderflow/bff-web/internal/visitor"
	"example.com/orderflow/pkg/identity"
	"example.com/orderflow/pkg/messages"
	"github.com/labstack/echo/v4"
)

// CartCookie is the name with which the cookies of the cart begin.
const CartCookie = "orderflow_cart"

// Browser is a browser without a window.
type Browser struct {
	*Fixture
	Cookies map[string]string
	Headers map[string]string
}

// Cookie returns the browser's name of one of our cookies.
func (f *Fixture) Cookie(name string) string {
	_, port, _ := strings.Cut(strings.TrimPrefix(f.URL, "http://"), ":")
	return name + "_" + port
}

// Stranger returns the browser of a visitor who has not signed in.
func (f *Fixture) Stranger() *Browser {
	return &Browser{f, map[string]string{}, map[string]string{"Accept": "text/html", "Sec-Fetch-Site": "same-origin"}}
}

// As returns the browser of a person who has signed in.
func (f *Fixture) As(who string) *Browser {
	f.Helper()
	scopes := []string{identity.ScopeOrders}
	switch who {
	case "olga":
		scopes = append(scopes, identity.ScopeOperations)
	case "carl":
		scopes = []string{identity.ScopeParcels}
	}
	token, err := f.Issuer.Token(who, scopes, time.Hour)
	if err != nil {
		f.Fatal(err)
	}
	sealed, err := f.App.Site.Sealer.Seal(visitor.Session{Token: token, Caller: identity.Caller{ID: who, Scopes: scopes}, Expires: time.Now().Add(time.Hour)})
	if err != nil {
		f.Fatal(err)
	}
	b := f.Stranger()
	b.Cookies[f.Cookie(visitor.SessionCookie)] = sealed
	return b
}

// Send sends a request, keeps the cookies of the answer, and follows no redirect.
func (b *Browser) Send(method, path string, form url.Values) (*http.Response, string) {
	b.Helper()
	r, err := http.NewRequestWithContext(b.Context(), method, b.URL+path, strings.NewReader(form.Encode()))
	if err != nil {
		b.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for name, value := range b.Headers {
		r.Header.Set(name, value)
	}
	for _, name := range slices.Sorted(maps.Keys(b.Cookies)) {
		r.AddCookie(&http.Cookie{Name: name, Value: b.Cookies[name]}) //nolint:gosec // as a browser sends it
	}
	answer, err := direct.RoundTrip(r)
	if err != nil {
		b.Fatal(err)
	}
	defer answer.Body.Close() //nolint:errcheck // only read
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		b.Fatal(err)
	}
	for _, c := range answer.Cookies() {
		if b.Cookies[c.Name] = c.Value; c.MaxAge < 0 {
			delete(b.Cookies, c.Name)
		}
	}
	return answer, string(body)
}

// Loads sends a GET request. The page must contain these texts.
func (b *Browser) Loads(status int, path string, wants ...string) string {
	b.Helper()
	answer, page := b.Send(http.MethodGet, path, nil) //nolint:bodyclose // Send has closed it
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

// Posts sends a form that must lead to another page.
func (b *Browser) Posts(path, to string, fields ...string) {
	b.Helper()
	form := url.Values{}
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	answer, page := b.Send(http.MethodPost, path, form) //nolint:bodyclose // Send has closed it
	if answer.StatusCode != http.StatusSeeOther || answer.Header.Get("Location") != to {
		b.Fatalf("%s: %s to %q, want %q: %s", path, answer.Status, answer.Header.Get("Location"), to, page)
	}
}

// Cart returns the content of the browser's cart as a form has it, sorted by SKU.
func (b *Browser) Cart() string {
	b.Helper()
	c := echo.New().NewContext(httptest.NewRequestWithContext(b.Context(), http.MethodGet, b.URL, nil), nil)
	for name, value := range b.Cookies {
		c.Request().AddCookie(&http.Cookie{Name: name, Value: value}) //nolint:gosec // as a browser sends it
	}
	k := cart.Of(c)
	slices.SortFunc(k, func(x, y messages.Line) int { return strings.Compare(x.SKU, y.SKU) })
	return k.String()
}

// Copied returns a copy of the browser. Cookies that one of the two gets are unknown to the other.
func (b *Browser) Copied() *Browser { return &Browser{b.Fixture, maps.Clone(b.Cookies), b.Headers} }

// Hears copies the cookies that another tab has got since a moment.
func (b *Browser) Hears(tab, since *Browser) {
	for name, value := range tab.Cookies {
		if since.Cookies[name] != value {
			b.Cookies[name] = value
		}
	}
	for name := range since.Cookies {
		if _, ok := tab.Cookies[name]; !ok {
			delete(b.Cookies, name)
		}
	}
}
