package main

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
)

// protective headers are added to each answer that does not set them itself, as pages do with their stricter policy. The names
// are in canonical form. The values are shared by all answers and must not be changed.
var protective = http.Header{
	"X-Content-Type-Options":       {"nosniff"},
	"X-Frame-Options":              {"DENY"},
	"Content-Security-Policy":      {"frame-ancestors 'none'"},
	"Referrer-Policy":              {"same-origin"},
	"Cross-Origin-Resource-Policy": {"same-origin"},
}

// protect adds them right before the header is sent, when those of the upstream are there. HSTS is sent only over TLS: without
// it, clients must ignore it.
func (g *gateway) protect(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		secure := g.proxies.Secure(c.Request())
		c.Response().Before(func() {
			h := c.Response().Header()
			for name, values := range protective {
				if h.Get(name) == "" {
					h[name] = values
				}
			}
			if h.Get("Access-Control-Allow-Origin") != "" {
				h.Set("Cross-Origin-Resource-Policy", "cross-origin")
			}
			if secure {
				h.Set("Strict-Transport-Security", "max-age=31536000")
			}
		})
		return next(c)
	}
}

// exposed are the headers of answers that scripts may read, besides those that they always may.
var exposed = []string{
	"Age", "Allow", "Cache-Status", "Content-Location", "Date", "Deprecation", "ETag", "Idempotency-Replayed", "Link", "Location", "RateLimit",
	"RateLimit-Policy", "Retry-After", "Sunset", "Traceparent", "Vary", "Warning", "WWW-Authenticate", "X-Request-Id",
}

// crossOrigin lets scripts of other origins use the API with a token; pages and cookies are excluded. Scripts may send any
// header, because their libraries add some. forward.go decides which headers an upstream sees.
func (g *gateway) crossOrigin() echo.MiddlewareFunc {
	used := map[string]bool{http.MethodHead: true}
	for _, r := range g.table {
		for method := range r.methods {
			used[method] = true
		}
	}
	cors := middleware.CORSWithConfig(middleware.CORSConfig{
		AllowOrigins:  g.origins,
		AllowMethods:  slices.Sorted(maps.Keys(used)),
		AllowHeaders:  nil, // nil allows all that are asked for
		ExposeHeaders: exposed,
		MaxAge:        600,
	})
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		inAPI := cors(next)
		return func(c echo.Context) error {
			r := c.Request()
			ofAPI := slices.ContainsFunc([]string{"/api/", "/oauth/", "/.well-known/", "/openapi.yaml", "/asyncapi.yaml"}, func(prefix string) bool {
				return strings.HasPrefix(r.URL.Path, prefix)
			})
			if !ofAPI || r.Method == http.MethodOptions && r.Header.Get(echo.HeaderOrigin) == "" { // the latter asks for the allowed methods
				return next(c)
			}
			return inAPI(c)
		}
	}
}
