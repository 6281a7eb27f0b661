// Package order is the pages of an order, and the list of all orders of a customer.
package order

import (
	"example.com/orderflow/bff-web/internal/site"
	"example.com/orderflow/bff-web/internal/upstream"
	"example.com/orderflow/bff-web/shop"
	"example.com/orderflow/bff-web/story"
	"example.com/orderflow/pkg/client"
	"example.com/orderflow/pkg/identity"
	"example.com/orderflow/pkg/web"
	"github.com/labstack/echo/v4"
)

// Pages are the pages of orders.
type Pages struct {
	pages                      *site.Site
	absences                   *upstream.Absences
	orders, payments, shipping *client.Client
	products                   func(echo.Context, []string) (shop.Catalogue, error)
	taps                       *story.Taps
	traces                     TracesURL
}

// New returns the pages of orders. products finds products by their SKUs, for names and pictures. traces may be empty.
func New(pages *site.Site, services upstream.Services, absences *upstream.Absences, taps *story.Taps, products func(echo.Context, []string) (shop.Catalogue, error), traces TracesURL) *Pages {
	return &Pages{
		pages: pages, absences: absences, orders: services.Orders, payments: services.Payments, shipping: services.Shipping, products: products, taps: taps, traces: traces,
	}
}

// Routes registers the pages.
func (s *Pages) Routes(e *web.Server) {
	mine, olgas := s.pages.Only(identity.ScopeOrders), s.pages.Only(identity.ScopeOperations)
	e.GET("/orders", s.getOrders, mine...)
	e.GET("/orders/:id", s.getOrder, mine...)
	e.GET("/orders/:id/messages", s.getMessages, mine...)
	e.POST("/orders/:id/cancellation", s.postCancellation, mine...)
	e.POST("/orders/:id/settlement", s.postSettlement, olgas...)
	e.POST("/orders/:id/retry", s.postRetry, olgas...)
	e.POST("/orders/:id/note", s.postNote, olgas...)
}
