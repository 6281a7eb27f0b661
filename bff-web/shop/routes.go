// Package shop is the shop: the products, the cart and the checkout.
package shop

import (
	"log/slog"

	"example.com/orderflow/bff-web/internal/site"
	"example.com/orderflow/bff-web/internal/upstream"
	"example.com/orderflow/bff-web/internal/visitor"
	"example.com/orderflow/pkg/client"
	"example.com/orderflow/pkg/identity"
	"example.com/orderflow/pkg/web"
	"github.com/labstack/echo/v4"
)

// Pages are the pages of the shop.
type Pages struct {
	pages             *site.Site
	log               *slog.Logger
	sealer            visitor.Sealer
	orders, inventory *client.Client
	listen            func(echo.Context) bool
	shelf             *shelf
}

// New returns the pages of the shop. listen starts the wire tap for a visitor who is about to order.
func New(pages *site.Site, services upstream.Services, listen func(echo.Context) bool) *Pages {
	return &Pages{
		pages: pages, log: pages.Log, sealer: pages.Sealer, orders: services.Orders, inventory: services.Inventory, listen: listen, shelf: newShelf(),
	}
}

// Routes registers the pages.
func (s *Pages) Routes(e *web.Server) {
	all, mine := s.pages.Open(), s.pages.Only(identity.ScopeOrders)
	e.GET("/", s.getShop, all...)
	e.GET("/cart", s.getCart, all...)
	e.POST("/cart", s.postCart, all...)
	e.GET("/checkout", s.getCheckout, mine...)
	e.POST("/checkout", s.postCheckout, mine...)
}
