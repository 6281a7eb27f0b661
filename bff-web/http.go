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

// routes registers the pages, and the part of the API that needs several services. The API accepts only bearer tokens, the
// pages accept only the session cookie.
func (s *site) routes(e *web.Server) {
	shopper, operator := web.Authenticate(s.verifier, identity.ScopeOrders), web.Authenticate(s.verifier, identity.ScopeOperations)
	e.Takes("/api/operations/dead-letters", append([]string{"limit", "cursor"}, deadLetterFilters...)...)
	e.GET("/api/operations/dead-letters", s.getDeadLetters, operator)
	e.GET("/api/operations/books", s.getBooks, operator)
	e.POST("/api/operations/dead-letters/replay", s.postSettled("replay"), operator)
	e.POST("/api/operations/dead-letters/discard", s.postSettled("discard"), operator)
	e.GET("/api/orders/:id/tracking", s.getLive, web.Stream, shopper)
	s.courierRoutes(e)

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
	e.POST("/switch", s.postSwitch, all...)

	e.GET("/checkout", s.getCheckout, mine...)
	e.POST("/checkout", s.postCheckout, mine...)
	e.GET("/orders", s.getOrders, mine...)
	e.GET("/orders/:id", s.getOrder, mine...)
	e.GET("/orders/:id/messages", s.getMessages, mine...)
	e.GET("/orders/:id/live", s.getPageLive, web.Stream, s.session)
	e.GET("/live", s.getPagesLive, web.Stream, s.session)
	e.POST("/orders/:id/cancellation", s.postCancellation, mine...)
	e.POST("/orders/:id/settlement", s.postSettlement, olgas...)
	e.POST("/orders/:id/retry", s.postRetry, olgas...)
	e.POST("/orders/:id/note", s.postNote, olgas...)

	e.GET("/backstage", s.getBackstage, olgas...)
	e.GET("/backstage/live", s.getBackstageLive, web.Stream, s.session)
	e.GET("/operations", s.getOperations, olgas...)
	e.GET("/operations/orders", s.getFound, olgas...)
	e.GET("/operations/dead-letters", s.getDeadLettersPage, olgas...)
	e.POST("/operations/dead-letters", s.postSelected, olgas...)
	e.POST("/operations/dead-letters/:id/replay", s.postReplay, olgas...)
	e.POST("/operations/dead-letters/:id/discard", s.postDiscard, olgas...)
	e.GET("/operations/books", s.getBooksPage, olgas...)
	e.GET("/operations/stock", s.getStockPage, olgas...)
	e.POST("/operations/stock", s.postStock, olgas...)
	e.GET("/operations/products/new", s.getNewProduct, olgas...)
	e.POST("/operations/products/new", s.postNewProduct, olgas...)
	e.GET("/operations/products/:sku", s.getProduct, olgas...)
	e.POST("/operations/products/:sku", s.postProduct, olgas...)
	s.laboratoryRoutes(e, operator, slices.Concat(all, []echo.MiddlewareFunc{s.experiment, s.signedIn(identity.ScopeOperations)})...)
}

// headers returns the headers for our requests on behalf of a caller: the token, and the request id that connects the log lines
// of all programs.
func headers(c echo.Context) http.Header {
	h := http.Header{}
	for _, name := range []string{echo.HeaderAuthorization, echo.HeaderXRequestID} {
		if value := c.Request().Header.Get(name); value != "" {
			h.Set(name, value)
		}
	}
	return h
}

// asVisitor returns the headers for a page: the caller is the owner of the session.
func asVisitor(c echo.Context) http.Header {
	h := headers(c)
	h.Del(echo.HeaderAuthorization)
	if who := visitor(c); who != nil {
		h.Set(echo.HeaderAuthorization, "Bearer "+who.Token)
	}
	return h
}

// read reads from an upstream on behalf of the visitor.
func read[T any](c echo.Context, from *client.Client, path string) (answer T, err error) {
	_, err = from.JSON(c.Request().Context(), http.MethodGet, path, asVisitor(c), nil, &answer)
	return answer, err
}

// tell makes an upstream do something on behalf of the visitor. With a key the request may be repeated; with an empty key it is
// not.
func tell(c echo.Context, to *client.Client, path, key string, in, out any) error {
	h := asVisitor(c)
	if key != "" {
		h.Set("Idempotency-Key", key)
	}
	_, err := to.JSON(c.Request().Context(), http.MethodPost, path, h, in, out)
	return err
}

// seeOther ends every form: the browser then loads a page that can be reloaded safely.
func seeOther(c echo.Context, path string) error { return c.Redirect(http.StatusSeeOther, path) }

// sameList returns the address of the list at path with the filter and the page that the form was on.
func sameList(c echo.Context, path string) string {
	if _, query, more := strings.Cut(c.FormValue("back"), "?"); more && !strings.ContainsAny(query, "#\r\n") {
		path += "?" + query
	}
	return path
}
