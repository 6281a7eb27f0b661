package main

import (
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
)

// protective headers are added to every answer that does not come with its own. A page's own policy is stricter. The names are
// in canonical form, and the values are those of all answers: nobody changes one in place.
var protective = http.Header{
	"X-Content-Type-Options":       {"nosniff"},
	"X-Frame-Options":              {"DENY"},
	"Content-Security-Policy":      {"frame-ancestors 'none'"},
	"Referrer-Policy":              {"same-origin"},
	"Cross-Origin-Resource-Policy": {"same-origin"},
}

// protect adds them at the last moment, when what comes from behind is there. HSTS is for clients that came by TLS: others
// must ignore it.
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

// exposed are the headers of answers that scripts may read, beside those that they always may.
var exposed = []string{
	"Age", "Allow", "Cache-Status", "Content-Location", "Date", "Deprecation", "ETag", "Idempotency-Replayed", "Link", "Location", "RateLimit",
	"RateLimit-Policy", "Retry-After", "Sunset", "Traceparent", "Vary", "Warning", "WWW-Authenticate", "X-Request-Id",
}

// crossOrigin lets scripts of other origins use the API with a token. The pages are not for them, and cookies stay out. They
// may send any header, as their libraries add some: what a program behind us gets to see is decided in forward.go.
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
		AllowHeaders:  nil, // as it is asked for
		ExposeHeaders: exposed,
		MaxAge:        600,
	})
	return func(next echo.HandlerFunc) echo.HandlerFunc {
		inAPI := cors(next)
		return func(c echo.Context) error {
			r := c.Request()
			path := r.URL.Path
			ofAPI := strings.HasPrefix(path, "/api/") || strings.HasPrefix(path, "/oauth/") || strings.HasPrefix(path, "/.well-known/")
			if !ofAPI || r.Method == http.MethodOptions && r.Header.Get(echo.HeaderOrigin) == "" { // the latter asks for methods
				return next(c)
			}
			return inAPI(c)
		}
	}
}
