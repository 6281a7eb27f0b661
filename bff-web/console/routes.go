// Package console is the console of the operators: the overview, the dead letters, orders, stock and products.
package console

import (
	"log/slog"

	"example.com/orderflow/bff-web/internal/health"
	"example.com/orderflow/bff-web/internal/site"
	"example.com/orderflow/bff-web/internal/upstream"
	"example.com/orderflow/bff-web/live"
	"example.com/orderflow/pkg/client"
	"example.com/orderflow/pkg/identity"
	"example.com/orderflow/pkg/web"
)

// Pages are the pages of the console.
type Pages struct {
	pages             *site.Site
	log               *slog.Logger
	absences          *upstream.Absences
	orders, inventory *client.Client
	services          []upstream.Service
	checker           *health.Checker
	feed              *live.Feed
}

// New returns the pages of the console.
func New(pages *site.Site, services upstream.Services, absences *upstream.Absences, checker *health.Checker, feed *live.Feed) *Pages {
	return &Pages{
		pages: pages, log: pages.Log, absences: absences, orders: services.Orders, inventory: services.Inventory, services: services.All,
		checker: checker, feed: feed,
	}
}

// Routes registers the pages, and the API of the dead letters.
func (s *Pages) Routes(e *web.Server) {
	operator, olgas := s.pages.Bearer(identity.ScopeOperations), s.pages.Only(identity.ScopeOperations)
	e.Takes("/api/operations/dead-letters", append([]string{"limit", "cursor"}, deadLetterFilters...)...)
	e.GET("/api/operations/dead-letters", s.getDeadLetters, operator)
	e.POST("/api/operations/dead-letters/replay", s.postSettled("replay"), operator)
	e.POST("/api/operations/dead-letters/discard", s.postSettled("discard"), operator)

	e.GET("/operations", s.getOperations, olgas...)
	e.GET("/operations/orders", s.getFound, olgas...)
	e.GET("/operations/dead-letters", s.getDeadLettersPage, olgas...)
	e.POST("/operations/dead-letters", s.postSelected, olgas...)
	e.POST("/operations/dead-letters/:id/replay", s.postReplay, olgas...)
	e.POST("/operations/dead-letters/:id/discard", s.postDiscard, olgas...)
	e.GET("/operations/stock", s.getStockPage, olgas...)
	e.POST("/operations/stock", s.postStock, olgas...)
	e.GET("/operations/products/new", s.getNewProduct, olgas...)
	e.POST("/operations/products/new", s.postNewProduct, olgas...)
	e.GET("/operations/products/:sku", s.getProduct, olgas...)
	e.POST("/operations/products/:sku", s.postProduct, olgas...)
}
