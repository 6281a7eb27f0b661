package main

import (
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"
)

// routes are the pages, and the part of the API that no service can answer alone.
func (s *site) routes(e *echo.Echo, operator echo.MiddlewareFunc) {
	e.GET("/", s.getProducts)
	e.GET("/static/:file", s.pages.getStatic)
	e.RouteNotFound("/*", s.notFound)
	e.GET("/api/operations/dead-letters", s.getDeadLetters, operator)
}

// notFound is a page for browsers and a problem for everybody else.
func (s *site) notFound(c echo.Context) error {
	if !strings.Contains(c.Request().Header.Get(echo.HeaderAccept), echo.MIMETextHTML) {
		return echo.ErrNotFound
	}
	return s.pages.render(c, http.StatusNotFound, "message.html", message{
		Title: "There is nothing here",
		Text:  "The page may have moved, or the address has a mistake in it.",
	})
}

// headers are of the requests that we make for a caller: who he is, and what ties the log lines of all programs together.
func headers(c echo.Context) http.Header {
	h := http.Header{}
	for _, name := range []string{echo.HeaderAuthorization, echo.HeaderXRequestID} {
		if value := c.Request().Header.Get(name); value != "" {
			h.Set(name, value)
		}
	}
	return h
}
