package site

import (
	"slices"

	"example.com/orderflow/bff-web/internal/visitor"
	"example.com/orderflow/pkg/web"
	"github.com/labstack/echo/v4"
)

// The API accepts only bearer tokens, the pages accept only the session cookie.

// Bearer lets requests of the API pass that have a token with a scope.
func (s *Site) Bearer(scope string) echo.MiddlewareFunc { return web.Authenticate(s.Verifier, scope) }

// Open lets all visitors of pages pass.
func (s *Site) Open() []echo.MiddlewareFunc {
	return []echo.MiddlewareFunc{s.Session, s.friendly, visitor.SameOrigin}
}

// Only lets visitors of pages pass who have a scope.
func (s *Site) Only(scope string) []echo.MiddlewareFunc {
	return slices.Concat(s.Open(), []echo.MiddlewareFunc{s.signedIn(scope)})
}

// Session reads the visitor's session, for streams. Their handlers look at it themselves.
func (s *Site) Session(next echo.HandlerFunc) echo.HandlerFunc { return s.Sealer.Session(next) }

// Routes registers signing in and out, the static files, and the answer to all unknown addresses.
func (s *Site) Routes(e *web.Server) {
	all := s.Open()
	e.GET("/static/:file", s.getStatic)
	e.RouteNotFound("/*", s.notFound, all...)
	e.GET("/sign-in", s.getSignIn, all...)
	e.POST("/sign-in", s.postSignIn, all...)
	e.POST("/sign-out", s.postSignOut, all...)
	e.POST("/switch", s.postSwitch, all...)
}
