package main

import (
	"net/http"
	"net/url"
	"slices"
	"sync"
	"time"

	"example.com/orderflow/pkg/client"
	"example.com/orderflow/pkg/messages"
	"github.com/labstack/echo/v4"
)

// order is the part of an order of the orders service that pages show.
type order struct {
	ID         string            `json:"id"`
	CustomerID string            `json:"customer_id"`
	Status     string            `json:"status"`
	Reason     string            `json:"reason"`
	Lines      []orderLine       `json:"lines"`
	Total      messages.Money    `json:"total"`
	Address    messages.Address  `json:"shipping_address"`
	CreatedAt  time.Time         `json:"created_at"`
	Links      map[string]string `json:"links"`
}

type orderLine struct {
	SKU       string         `json:"sku"`
	Name      string         `json:"name"`
	Quantity  int            `json:"quantity"`
	UnitPrice messages.Money `json:"unit_price"`
}

const (
	linesMost    = 100 // of an order
	picturesMost = 5   // of an order in a list
)

// skus returns the SKUs of the first lines of an order.
func (o order) skus(most int) (skus []string) {
	for _, l := range o.Lines[:min(len(o.Lines), most)] {
		skus = append(skus, l.SKU)
	}
	return skus
}

// tracking is the progress of an order.
type tracking struct {
	OrderID  string  `json:"order_id"`
	Status   string  `json:"status"`
	Reason   string  `json:"reason"`
	Timeline []entry `json:"timeline"`
	Payment  *struct {
		Status string         `json:"status"`
		Amount messages.Money `json:"amount"`
	} `json:"payment"`
	Shipment *struct {
		Carrier        string `json:"carrier"`
		TrackingNumber string `json:"tracking_number"`
		Stages         []struct {
			Stage string    `json:"stage"`
			At    time.Time `json:"at"`
		} `json:"stages"`
	} `json:"shipment"`
	EstimatedDelivery *time.Time `json:"estimated_delivery"`
}

// entry is a line of the timeline, on pages and in streams.
type entry struct {
	Seq    int       `json:"seq"`
	At     time.Time `json:"at"`
	Status string    `json:"status"`
	Event  string    `json:"event"`
	What   string    `json:"what"`
}

// insight is tracking for a page: operators also see which operator has caused an entry, and why. Streams do not show it.
type insight struct {
	tracking
	Timeline []authored `json:"timeline"`
	Log      []action   `json:"log"`
}

// authored is an entry with the operator who has caused it; empty: none has.
type authored struct {
	entry
	Operator string `json:"operator"`
	Why      string `json:"reason"`
}

// entries returns the timeline without the operators.
func (i *insight) entries() []entry {
	all := make([]entry, len(i.Timeline))
	for n, d := range i.Timeline {
		all[n] = d.entry
	}
	return all
}

// final reports whether a status is the last one of an order.
func final(status string) bool { return status == "delivered" || status == "cancelled" }

// stage is a step of the progress line.
type stage struct {
	Name  string
	State string // done, now, stopped or todo
}

var (
	way  = []string{"placed", "reserved", "paid", "shipped", "delivered"}
	back = []string{"withdrawing", "refunding", "releasing", "cancelled"}
)

// stages returns the progress line of an order. The line of a compensated order shows how far it came, and its end. A status of
// a newer release is shown as a step between two known ones: where the order is, without any judgement.
func stages(status string, timeline []entry) []stage {
	at := slices.Index(way, status)
	backward := slices.Contains(back, status)
	unknown := at < 0 && !backward && status != "backordered"
	reached := max(at, 0)
	for _, e := range timeline {
		reached = max(reached, slices.Index(way, e.Status))
	}
	var line []stage
	for i, name := range way {
		switch {
		case i < reached || i == reached && (final(status) || backward || unknown):
			line = append(line, stage{label(name), "done"})
			if i == reached && unknown {
				line = append(line, stage{label(status), "now"})
			}
		case i == reached && status == "backordered":
			line = append(line, stage{label(status), "now"})
		case i == reached:
			line = append(line, stage{label(name), "now"})
		case !backward:
			line = append(line, stage{label(name), "todo"})
		}
	}
	if backward {
		line = append(line, stage{label(status), "stopped"})
	}
	return line
}

// orderScreen is the page of an order. A nil value could not be read.
type orderScreen struct {
	Order    order
	Tracking *insight
	Seen     int // seq of the last entry that is shown
	Stages   []stage
	Pictures map[string]product
	Blind    bool            // inventory does not answer, so pictures are missing
	Payment  told[backstage] // for operators only
	Shipment told[backstage]
	Story    *storyPart
	Account  string // why it was compensated, and what happened to the money
	Final    bool
	Back     bool // it is being compensated, or was: steps that are not done yet never will be
	exact    bool
}

// Time returns a time in the precision for this reader.
func (o orderScreen) Time(t time.Time) instant { return instant{t, o.exact} }

// backstage is what payments or shipping tells operators about an order.
type backstage struct {
	Tracking      string     `json:"tracking_number"`
	Status        string     `json:"status"`
	Attempts      int        `json:"attempts"`
	NextAttemptAt *time.Time `json:"next_attempt_at"`
	LastError     string     `json:"last_error"`
	Calls         []call     `json:"calls"` // of the provider or the carrier
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
func (s *site) getOrder(c echo.Context) error {
	at := "/api/orders/" + url.PathEscape(c.Param("id"))
	var screen orderScreen
	var all catalogue
	var missing, unasked error
	var asking sync.WaitGroup
	screen.exact = visitor(c).Operator()
	asking.Go(func() { s.listen(c) })
	asking.Go(func() {
		if screen.Order, missing = read[order](c, s.orders, at); missing == nil {
			all, unasked = s.productsOf(c, screen.Order.skus(linesMost)) // the page works without names and pictures
		}
	})
	asking.Go(func() { screen.Tracking = orGap[insight](s, c, s.orders, "tracking", at+"/tracking").Value })
	if screen.exact {
		asking.Go(func() { screen.Payment = s.paymentOf(c) })
		asking.Go(func() { screen.Shipment = s.shipmentOf(c) })
	}
	asking.Wait()
	if missing != nil {
		return missing
	}
	screen.Pictures, screen.Blind = all.bySKU(), unasked != nil
	status, timeline := screen.Order.Status, []entry(nil)
	if screen.Tracking != nil { // tracking may be newer than the order
		status, timeline = screen.Tracking.Status, screen.Tracking.entries()
		screen.Order.Status, screen.Order.Reason = status, screen.Tracking.Reason
	}
	if n := len(timeline); n > 0 {
		screen.Seen = timeline[n-1].Seq
	}
	screen.Stages, screen.Final = stages(status, timeline), final(status)
	screen.Back = slices.Contains(back, status)
	screen.Story = s.story(c, screen.Order, screen.Tracking, screen.Payment.Value, screen.Shipment.Value)
	screen.Account = account(screen.Order, screen.Tracking, visitor(c).Caller.ID)
	return s.pages.render(c, http.StatusOK, "order.html", screen)
}

// paymentOf returns what payments tells operators about the order of the page.
func (s *site) paymentOf(c echo.Context) told[backstage] {
	return orGap[backstage](s, c, s.payments, "payments", "/api/payments/"+url.PathEscape(c.Param("id")))
}

// shipmentOf is the same of shipping.
func (s *site) shipmentOf(c echo.Context) told[backstage] {
	return orGap[backstage](s, c, s.shipping, "shipping", "/api/shipments/"+url.PathEscape(c.Param("id")))
}

// told is optional data of an upstream: a value, nothing, or the reason why it is not known.
type told[T any] struct {
	Value *T
	Away  *absence
}

// orGap is read for data that a page can do without. Neither a value nor an absence means that there is no data.
func orGap[T any](s *site, c echo.Context, from *client.Client, what, path string) (answer told[T]) {
	value, err := read[T](c, from, path)
	if statusOf(err) == http.StatusNotFound {
		err = nil
	} else if err == nil {
		answer.Value = &value
	} else {
		s.log.WarnContext(c.Request().Context(), "a page has a gap", "route", c.Path(), "error", err)
	}
	answer.Away = s.absences.of(what, err, time.Now())
	return answer
}

// getOrders lists the visitor's orders, newest first.
func (s *site) getOrders(c echo.Context) error {
	var list struct {
		Items    []order `json:"items"`
		Next     string  `json:"next_cursor"`
		Pictures map[string]product
		Blind    bool // inventory does not answer, so pictures are missing
	}
	path := "/api/orders?limit=20&cursor=" + url.QueryEscape(c.QueryParam("cursor"))
	if _, err := s.orders.JSON(c.Request().Context(), http.MethodGet, path, asVisitor(c), nil, &list); err != nil {
		return err
	}
	var skus []string
	for _, o := range list.Items {
		skus = append(skus, o.skus(picturesMost)...)
	}
	all, err := s.productsOf(c, skus) // the page works without pictures
	list.Pictures, list.Blind = all.bySKU(), err != nil
	return s.pages.render(c, http.StatusOK, "orders.html", list)
}
