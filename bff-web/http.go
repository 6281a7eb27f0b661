package main

import (
	"net/http"
	"slices"
	"strings"

	"example.com/orderflow/pkg/client"
	"example.com/orderflow/pkg/identity"
	"example.com/orderflow/pkg/web"
	"github.com/labstack/echo/v4"
)

// routes are the pages, and the part of the API that no service can answer alone. The API believes bearer tokens, the
// pages believe the session cookie, and neither believes the other's.
func (s *site) routes(e *web.Server) {
	shopper, operator := web.Authenticate(s.verifier, identity.ScopeOrders), web.Authenticate(s.verifier, identity.ScopeOperations)
	e.Takes("/api/operations/dead-letters", append([]string{"limit", "cursor"}, deadLetterFilters...)...)
	e.GET("/api/operations/dead-letters", s.getDeadLetters, operator)
	e.GET("/api/orders/:id/tracking", s.getLive, web.Stream, shopper)

	all := []echo.MiddlewareFunc{s.session, s.friendly, s.sameOrigin}
	mine := slices.Concat(all, []echo.MiddlewareFunc{s.signedIn(identity.ScopeOrders)})
	olgas := slices.Concat(all, []echo.MiddlewareFunc{s.signedIn(identity.ScopeOperations)})

	e.GET("/static/:file", s.pages.getStatic)
	e.RouteNotFound("/*", s.notFound, all...)
	e.GET("/", s.getShop, all...)
	e.GET("/cart", s.getCart, all...)
	e.POST("/cart", s.postCart, all...)
	e.GET("/sign-in", s.getSignIn, all...)
	e.POST("/sign-in", s.postSignIn, all...)
	e.POST("/sign-out", s.postSignOut, all...)

	e.GET("/checkout", s.getCheckout, mine...)
	e.POST("/checkout", s.postCheckout, mine...)
	e.GET("/orders", s.getOrders, mine...)
	e.GET("/orders/:id", s.getOrder, mine...)
	e.GET("/orders/:id/live", s.getPageLive, web.Stream, s.session)
	e.GET("/live", s.getPagesLive, web.Stream, s.session)
	e.POST("/orders/:id/cancellation", s.postCancellation, mine...)
	e.POST("/orders/:id/settlement", s.postSettlement, olgas...)

	e.GET("/operations", s.getOperations, olgas...)
	e.GET("/operations/dead-letters", s.getDeadLettersPage, olgas...)
	e.POST("/operations/dead-letters/:id/replay", s.postReplay, olgas...)
	e.POST("/operations/dead-letters/:id/discard", s.postDiscard, olgas...)
	e.GET("/operations/stock", s.getStockPage, olgas...)
	e.POST("/operations/stock", s.postStock, olgas...)
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

// asVisitor is headers for a page: the caller is whose session it is.
func asVisitor(c echo.Context) http.Header {
	h := headers(c)
	h.Del(echo.HeaderAuthorization)
	if who := visitor(c); who != nil {
		h.Set(echo.HeaderAuthorization, "Bearer "+who.Token)
	}
	return h
}

// read asks an upstream for something in the visitor's name.
func read[T any](c echo.Context, from *client.Client, path string) (answer T, err error) {
	_, err = from.JSON(c.Request().Context(), http.MethodGet, path, asVisitor(c), nil, &answer)
	return answer, err
}

// tell asks an upstream to do something in the visitor's name. key makes it safe to repeat; empty: it is not repeated.
func tell(c echo.Context, to *client.Client, path, key string, in, out any) error {
	h := asVisitor(c)
	if key != "" {
		h.Set("Idempotency-Key", key)
	}
	_, err := to.JSON(c.Request().Context(), http.MethodPost, path, h, in, out)
	return err
}

// seeOther ends every form: the browser loads a page that may be loaded again.
func seeOther(c echo.Context, path string) error { return c.Redirect(http.StatusSeeOther, path) }

// sameList is the list at path as the form was seen in it: the same filter, the same page.
func sameList(c echo.Context, path string) string {
	if _, query, more := strings.Cut(c.FormValue("back"), "?"); more && !strings.ContainsAny(query, "#\r\n") {
		path += "?" + query
	}
	return path
}
