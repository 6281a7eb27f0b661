package main

import (
	"net/http"
	"net/url"
	"time"

	"example.com/orderflow/pkg/fault"
	"example.com/orderflow/pkg/web"
	"github.com/labstack/echo/v4"
)

// calledAs is the scheme and the host by which the browser calls us. The gateway in front of us has another name than we
// have, and tells by headers what its own is.
func calledAs(c echo.Context) (scheme, host string) {
	r := c.Request()
	if host = r.Header.Get("X-Forwarded-Host"); host == "" {
		host = r.Host
	}
	if r.Header.Get("X-Forwarded-Proto") == "https" {
		return "https", host
	}
	return "http", host
}

// cookieName is what the browser knows a cookie of ours by. Browsers send the cookies of one port to all ports of a host, so
// that the name has to tell two copies on localhost apart. By https it begins with __Host-: then no sister host and no page
// without TLS can have set it.
func cookieName(c echo.Context, name string) string {
	scheme, text := calledAs(c)
	host, _ := web.ParseHost(scheme, text) // what is no host has no port
	name += "_" + host.Port
	if scheme == "https" {
		name = "__Host-" + name
	}
	return name
}

// cookieOf is the value of a cookie, or "". Until releases that knew no ports are forgotten, it may have its bare name.
func cookieOf(c echo.Context, name string) string {
	for _, known := range []string{cookieName(c, name), name} {
		if cookie, err := c.Cookie(known); err == nil {
			return cookie.Value
		}
	}
	return ""
}

// setCookie sets a cookie that scripts cannot read and other sites cannot send along with a form. The empty value
// removes it. One with its bare name goes away: it must not come back when the new one has gone.
func setCookie(c echo.Context, name, value string, expires time.Time) {
	scheme, _ := calledAs(c)
	set := func(name, value string) {
		cookie := &http.Cookie{ //nolint:gosec // G124: without TLS in front of us, as on a laptop, a secure cookie would not come back
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

// sameOrigin refuses forms that other sites send: no other site can make a browser send another Origin. Whether the port
// that a scheme has by itself is written makes no difference.
func (s *site) sameOrigin(next echo.HandlerFunc) echo.HandlerFunc {
	protection := http.NewCrossOriginProtection()
	return func(c echo.Context) error {
		r := c.Request()
		r = r.WithContext(r.Context())
		_, r.Host = calledAs(c)
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
