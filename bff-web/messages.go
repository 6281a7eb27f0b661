package main

import (
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/labstack/echo/v4"
)

// storyScreen is the page behind an order.
type storyScreen struct {
	Order order
	Story *storyPart
	Going bool // more may happen
}

// storyPart is the story of an order on a page. It is nil for visitors who do not see it.
type storyPart struct {
	Diagram diagram
	Page    string // with the details of the steps
	Tapped  bool   // there is a wire tap
	Since   time.Time
	Late    bool // the order is older than what was seen
	More    int  // messages that have passed and are not shown
	last    time.Time
}

// stillGoing is how long after the last step of an order that has ended its page looks for another one.
const stillGoing = 5 * time.Second

// listen starts the tap for a visitor who is about to see messages, and reports whether they see any.
func (s *site) listen(c echo.Context) bool {
	who := visitor(c)
	if who == nil || !who.Operator() && !s.showAll {
		return false
	}
	s.taps.attend(c.Request().Context())
	return true
}

// story returns what has happened to an order. The caller has to make sure that the visitor may see the order.
func (s *site) story(c echo.Context, o order, t *insight, payment, shipment *backstage) *storyPart {
	operator := visitor(c).Operator()
	if !operator && !s.showAll {
		return nil
	}
	p := storyPart{Page: "/orders/" + url.PathEscape(o.ID) + "/messages", Tapped: s.taps.want != nil}
	passages, more, since := s.taps.of(o.ID)
	p.More, p.Since, p.Late = more, since, since.After(o.CreatedAt)
	var timeline []authored
	if t != nil {
		timeline = t.Timeline
	}
	var calls []step
	if payment != nil {
		calls = callsOf("payments", "provider", payment.Calls)
	}
	if shipment != nil {
		calls = append(calls, callsOf("shipping", "carrier", shipment.Calls)...)
	}
	steps := tellStory(o, timeline, calls, passages, operator)
	p.Diagram, p.last = draw(steps, o.CreatedAt), steps[len(steps)-1].At
	return &p
}

// getMessages shows the messages of an order: to operators, and where shoppers see everything, to the one who has placed it.
func (s *site) getMessages(c echo.Context) error {
	if !s.listen(c) {
		return echo.ErrNotFound
	}
	at := "/api/orders/" + url.PathEscape(c.Param("id"))
	var screen storyScreen
	var t *insight
	var payment, shipment *backstage
	var missing error
	var asking sync.WaitGroup
	asking.Go(func() { screen.Order, missing = read[order](c, s.orders, at) })
	asking.Go(func() { t = orGap[insight](s, c, s.orders, "tracking", at+"/tracking").Value })
	if visitor(c).Operator() {
		asking.Go(func() { payment = s.paymentOf(c).Value })
		asking.Go(func() { shipment = s.shipmentOf(c).Value })
	}
	asking.Wait()
	if missing != nil {
		return missing
	}
	status := screen.Order.Status
	if t != nil {
		status = t.Status
	}
	screen.Story = s.story(c, screen.Order, t, payment, shipment)
	screen.Going = !final(status) || time.Since(screen.Story.last) < stillGoing
	return s.pages.render(c, http.StatusOK, "story.html", screen)
}
