package order

import (
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"example.com/orderflow/bff-web/internal/orders"
	"example.com/orderflow/bff-web/internal/site"
	"example.com/orderflow/bff-web/internal/upstream"
	"example.com/orderflow/bff-web/internal/visitor"
	"example.com/orderflow/bff-web/shop"
	"example.com/orderflow/bff-web/story"
	"github.com/labstack/echo/v4"
)

const (
	linesMost    = 100 // of an order
	picturesMost = 5   // of an order in a list
)

// orderScreen is the page of an order. A nil value could not be read.
type orderScreen struct {
	Order    orders.Order
	Tracking *orders.Insight
	Seen     int // seq of the last entry that is shown
	Stages   []orders.Stage
	Pictures map[string]shop.Product
	Blind    bool                     // inventory does not answer, so pictures are missing
	Payment  upstream.Told[backstage] // for operators only
	Shipment upstream.Told[backstage]
	Story    *storyPart
	Trace    string // the address where operators see its trace; empty: none
	Account  string // why it was compensated, and what happened to the money
	Final    bool
	Back     bool // it is being compensated, or was: steps that are not done yet never will be
	exact    bool
}

// Time returns a time in the precision for this reader.
func (o orderScreen) Time(t time.Time) site.Instant { return site.At(t, o.exact) }

// backstage is what payments or shipping tells operators about an order.
type backstage struct {
	Tracking      string       `json:"tracking_number"`
	Status        string       `json:"status"`
	Attempts      int          `json:"attempts"`
	NextAttemptAt *time.Time   `json:"next_attempt_at"`
	LastError     string       `json:"last_error"`
	Calls         []story.Call `json:"calls"` // of the provider or the carrier
}

// Fails reports whether a refund or withdrawal of a payment has failed: only then can an operator settle it.
func (b backstage) Fails() bool {
	return b.LastError != "" && (b.Status == "refunding" || b.Status == "withdrawing")
}

// UnderWay reports whether an operator can settle the shipment.
func (b backstage) UnderWay() bool {
	return b.NextAttemptAt != nil && (b.Tracking != "" || b.LastError != "") && b.Status != "cancelled"
}

// getOrder asks all upstreams at the same time. Only the order itself is required; anything else that does not arrive in time
// is a gap on the page.
func (s *Pages) getOrder(c echo.Context) error {
	at := "/api/orders/" + url.PathEscape(c.Param("id"))
	var screen orderScreen
	var all shop.Catalogue
	var missing, unasked error
	var asking sync.WaitGroup
	screen.exact = visitor.Of(c).Operator()
	asking.Go(func() { s.taps.Listen(c) })
	asking.Go(func() {
		if screen.Order, missing = upstream.Read[orders.Order](c, s.orders, at); missing == nil {
			all, unasked = s.products(c, screen.Order.SKUs(linesMost)) // the page works without names and pictures
		}
	})
	asking.Go(func() {
		screen.Tracking = upstream.OrGap[orders.Insight](s.absences, c, s.orders, "tracking", at+"/tracking").Value
	})
	if screen.exact {
		asking.Go(func() { screen.Payment = s.paymentOf(c) })
		asking.Go(func() { screen.Shipment = s.shipmentOf(c) })
	}
	asking.Wait()
	if missing != nil {
		return missing
	}
	screen.Pictures, screen.Blind = all.BySKU(), unasked != nil
	status, timeline := screen.Order.Status, []orders.Entry(nil)
	if screen.Tracking != nil { // tracking may be newer than the order
		status, timeline = screen.Tracking.Status, screen.Tracking.Entries()
		screen.Order.Status, screen.Order.Reason = status, screen.Tracking.Reason
	}
	if n := len(timeline); n > 0 {
		screen.Seen = timeline[n-1].Seq
	}
	screen.Stages, screen.Final = orders.Stages(status, timeline), orders.Final(status)
	screen.Back = slices.Contains(orders.Back, status)
	screen.Story = s.story(c, screen.Order, screen.Tracking, screen.Payment.Value, screen.Shipment.Value)
	if screen.Tracking != nil {
		screen.Trace = s.traces.of(screen.Tracking.TraceID)
	}
	screen.Account = account(screen.Order, screen.Tracking, visitor.Of(c).Caller.ID)
	return s.pages.Render(c, http.StatusOK, "order.html", screen)
}

// paymentOf returns what payments tells operators about the order of the page.
func (s *Pages) paymentOf(c echo.Context) upstream.Told[backstage] {
	return upstream.OrGap[backstage](s.absences, c, s.payments, "payments", "/api/payments/"+url.PathEscape(c.Param("id")))
}

// shipmentOf is the same of shipping.
func (s *Pages) shipmentOf(c echo.Context) upstream.Told[backstage] {
	return upstream.OrGap[backstage](s.absences, c, s.shipping, "shipping", "/api/shipments/"+url.PathEscape(c.Param("id")))
}

// getOrders lists the visitor's orders, newest first.
func (s *Pages) getOrders(c echo.Context) error {
	var list struct {
		Items    []orders.Order `json:"items"`
		Next     string         `json:"next_cursor"`
		Pictures map[string]shop.Product
		Blind    bool // inventory does not answer, so pictures are missing
	}
	path := "/api/orders?limit=20&cursor=" + url.QueryEscape(c.QueryParam("cursor"))
	if _, err := s.orders.JSON(c.Request().Context(), http.MethodGet, path, upstream.AsVisitor(c), nil, &list); err != nil {
		return err
	}
	var skus []string
	for _, o := range list.Items {
		skus = append(skus, o.SKUs(picturesMost)...)
	}
	all, err := s.products(c, skus) // the page works without pictures
	list.Pictures, list.Blind = all.BySKU(), err != nil
	return s.pages.Render(c, http.StatusOK, "orders.html", list)
}
