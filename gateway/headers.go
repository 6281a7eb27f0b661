package main

import (
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
)

// protective headers are added to every answer that does not come with its own. A page's own policy is stricter.
var protective = map[string]string{
	"X-Content-Type-Options":       "nosniff",
	"X-Frame-Options":              "DENY",
	"Content-Security-Policy":      "frame-ancestors 'none'",
	"Referrer-Policy":              "same-origin",
	"Cross-Origin-Resource-Policy": "same-origin",
}

// protect adds them at the last moment, when what comes from behind is there. HSTS is for clients that came by TLS: others
// must ignore it.
func (g *gateway) protect(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		secure := g.proxies.Secure(c.Request())
		c.Response().Before(func() {
			h := c.Response().Header()
			for name, value := range protective {
				if h.Get(name) == "" {
					h.Set(name, value)
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

// crossOrigin lets scripts of other origins use the API with a token. The pages are not for them, and cookies stay out.
func crossOrigin(origins []string) echo.MiddlewareFunc {
	return middleware.CORSWithConfig(middleware.CORSConfig{
		Skipper: func(c echo.Context) bool {
			path := c.Request().URL.Path
			return !strings.HasPrefix(path, "/api/") && !strings.HasPrefix(path, "/oauth/") && !strings.HasPrefix(path, "/.well-known/")
		},
		AllowOrigins:  origins,
		AllowMethods:  []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut},
		AllowHeaders:  []string{"Authorization", "Content-Type", "Idempotency-Key", "If-None-Match", "Last-Event-ID", "X-Request-Id"},
		ExposeHeaders: []string{"Location", "ETag", "Age", "Cache-Status", "Retry-After", "RateLimit", "RateLimit-Policy", "X-Request-Id"},
		MaxAge:        600,
	})
}
