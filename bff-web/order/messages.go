package order

import (
	"net/http"
	"net/url"
	"sync"
	"time"

	"example.com/orderflow/bff-web/internal/orders"
	"example.com/orderflow/bff-web/internal/upstream"
	"example.com/orderflow/bff-web/internal/visitor"
	"example.com/orderflow/bff-web/story"
	"github.com/labstack/echo/v4"
)

// storyScreen is the page behind an order.
type storyScreen struct {
	Order orders.Order
	Story *storyPart
	Going bool // more may happen
}

// storyPart is the story of an order on a page. It is nil for visitors who do not see it.
type storyPart struct {
	Diagram story.Diagram
	Page    string // with the details of the steps
	Tapped  bool   // there is a wire tap
	Since   time.Time
	Late    bool // the order is older than what was seen
	More    int  // messages that have passed and are not shown
	last    time.Time
}

// stillGoing is how long after the last step of an order that has ended its page looks for another one.
const stillGoing = 5 * time.Second

// story returns what has happened to an order. The caller has to make sure that the visitor may see the order.
func (s *Pages) story(c echo.Context, o orders.Order, t *orders.Insight, payment, shipment *backstage) *storyPart {
	operator := visitor.Of(c).Operator()
	if !operator && !s.taps.ShowAll {
		return nil
	}
	p := storyPart{Page: "/orders/" + url.PathEscape(o.ID) + "/messages", Tapped: s.taps.Want != nil}
	passages, more, since := s.taps.Of(o.ID)
	p.More, p.Since, p.Late = more, since, since.After(o.CreatedAt)
	var timeline []orders.Authored
	if t != nil {
		timeline = t.Timeline
	}
	var calls []story.Step
	if payment != nil {
		calls = story.CallsOf("payments", "provider", payment.Calls)
	}
	if shipment != nil {
		calls = append(calls, story.CallsOf("shipping", "carrier", shipment.Calls)...)
	}
	steps := story.TellStory(o, timeline, calls, passages, operator)
	p.Diagram, p.last = story.Draw(steps, o.CreatedAt), steps[len(steps)-1].At
	return &p
}

// getMessages shows the messages of an order: to operators, and where shoppers see everything, to the one who has placed it.
func (s *Pages) getMessages(c echo.Context) error {
	if !s.taps.Listen(c) {
		return echo.ErrNotFound
	}
	at := "/api/orders/" + url.PathEscape(c.Param("id"))
	var screen storyScreen
	var t *orders.Insight
	var payment, shipment *backstage
	var missing error
	var asking sync.WaitGroup
	asking.Go(func() { screen.Order, missing = upstream.Read[orders.Order](c, s.orders, at) })
	asking.Go(func() { t = upstream.OrGap[orders.Insight](s.absences, c, s.orders, "tracking", at+"/tracking").Value })
	if visitor.Of(c).Operator() {
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
	screen.Going = !orders.Final(status) || time.Since(screen.Story.last) < stillGoing
	return s.pages.Render(c, http.StatusOK, "story.html", screen)
}
