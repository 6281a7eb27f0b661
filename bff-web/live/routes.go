// Package live is live tracking: what happens to an order reaches the pages that show it, as server-sent events.
package live

import (
	"log/slog"

	"example.com/orderflow/bff-web/internal/site"
	"example.com/orderflow/bff-web/internal/sse"
	"example.com/orderflow/bff-web/internal/upstream"
	"example.com/orderflow/pkg/client"
	"example.com/orderflow/pkg/identity"
	"example.com/orderflow/pkg/web"
)

// Pages are the streams of live tracking.
type Pages struct {
	pages   *site.Site
	log     *slog.Logger
	orders  *client.Client
	feed    *Feed
	streams *sse.Streams
}

// New returns the streams, which get notifications from a feed.
func New(pages *site.Site, services upstream.Services, feed *Feed, streams *sse.Streams) *Pages {
	return &Pages{pages: pages, log: pages.Log, orders: services.Orders, feed: feed, streams: streams}
}

// Routes registers the streams, for pages and in the API.
func (s *Pages) Routes(e *web.Server) {
	e.GET("/api/orders/:id/tracking", s.getLive, web.Stream, s.pages.Bearer(identity.ScopeOrders))
	e.GET("/orders/:id/live", s.getPageLive, web.Stream, s.pages.Session)
	e.GET("/live", s.getPagesLive, web.Stream, s.pages.Session)
}
