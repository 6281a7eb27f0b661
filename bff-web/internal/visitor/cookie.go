package visitor

import (
	"iter"
	"net/http"
	"net/url"
	"strings"
	"time"

	"example.com/orderflow/pkg/fault"
	"example.com/orderflow/pkg/web"
	"github.com/labstack/echo/v4"
)

// CalledAs returns the scheme and the host by which the browser calls us. The gateway in front of us calls us by another host,
// and tells the browser's in headers.
func CalledAs(c echo.Context) (scheme, host string) {
	r := c.Request()
	if host = r.Header.Get("X-Forwarded-Host"); host == "" {
		host = r.Host
	}
	if r.Header.Get("X-Forwarded-Proto") == "https" {
		return "https", host
	}
	return "http", host
}

// cookieName returns the name of one of our cookies in the browser. It contains the port, because browsers send the cookies of
// a host to all of its ports, and two copies may run on localhost. With https it begins with __Host-, so that neither another
// subdomain nor a page without TLS can set it.
func cookieName(c echo.Context, name string) string {
	scheme, text := CalledAs(c)
	host, _ := web.ParseHost(scheme, text) // an invalid host has no port
	name += "_" + host.Port
	if scheme == "https" {
		name = "__Host-" + name
	}
	return name
}

// Cookie returns the value of a cookie, or "". It also accepts the name without a port, which earlier releases used.
func Cookie(c echo.Context, name string) string {
	for _, known := range []string{cookieName(c, name), name} {
		if cookie, err := c.Cookie(known); err == nil {
			return cookie.Value
		}
	}
	return ""
}

// SetCookie sets a cookie that scripts cannot read, and that browsers do not send with the forms of other sites. An empty value
// removes it. It also removes a cookie with the name of earlier releases, which must not come back later.
func SetCookie(c echo.Context, name, value string, expires time.Time) {
	scheme, _ := CalledAs(c)
	set := func(name, value string) {
		cookie := &http.Cookie{ //nolint:gosec // G124: without TLS in front of us, as on a laptop, browsers would not send a secure cookie back
			Name: name, Value: value, Path: "/", Expires: expires,
			HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: scheme == "https",
		}
		if value == "" {
			cookie.MaxAge = -1
		}
		c.SetCookie(cookie)
	}
	set(cookieName(c, name), value)
	if _, err := c.Cookie(name); err == nil {
		set(name, "")
	}
}

// SameOrigin refuses forms of other sites, by the header Origin, which no site can forge. A default port counts as the same
// whether it is written or not.
func SameOrigin(next echo.HandlerFunc) echo.HandlerFunc {
	protection := http.NewCrossOriginProtection()
	return func(c echo.Context) error {
		r := c.Request()
		r = r.WithContext(r.Context())
		_, r.Host = CalledAs(c)
		if origin, err := url.Parse(r.Header.Get("Origin")); err == nil {
			theirs, valid := web.ParseHost(origin.Scheme, origin.Host)
			if ours, ok := web.ParseHost(origin.Scheme, r.Host); ok && valid && ours == theirs {
				r.Host = origin.Host
			}
		}
		if err := protection.Check(r); err != nil {
			return fault.New(fault.Forbidden, "another site has sent this form").Because(err)
		}
		return next(c)
	}
}

// Cookies returns the cookies whose names begin with prefix, by the rest of their names, in the browser's order: the oldest
// first.
func Cookies(c echo.Context, prefix string) iter.Seq2[string, string] {
	before, after, _ := strings.Cut(cookieName(c, prefix), prefix)
	return func(yield func(string, string) bool) {
		for _, cookie := range c.Cookies() {
			rest, ours := strings.CutPrefix(cookie.Name, before+prefix)
			rest, here := strings.CutSuffix(rest, after)
			if ours && here && !yield(rest, cookie.Value) {
				return
			}
		}
	}
}
