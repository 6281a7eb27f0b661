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

// order is what the pages show of orders'.
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

// skus are of the first lines of an order.
func (o order) skus(most int) (skus []string) {
	for _, l := range o.Lines[:min(len(o.Lines), most)] {
		skus = append(skus, l.SKU)
	}
	return skus
}

// tracking is how far an order has come.
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

// entry is a line of the timeline, also as it goes through a stream.
type entry struct {
	Seq    int       `json:"seq"`
	At     time.Time `json:"at"`
	Status string    `json:"status"`
	What   string    `json:"what"`
}

// insight is tracking as a page shows it: operators are told which of them has caused an entry, and why. A stream does not tell it.
type insight struct {
	tracking
	Timeline []authored `json:"timeline"`
}

// authored is an entry, and the operator who has caused it, if one has.
type authored struct {
	entry
	Operator string `json:"operator"`
	Why      string `json:"why"`
}

// entries is the timeline without them.
func (i *insight) entries() []entry {
	all := make([]entry, len(i.Timeline))
	for n, d := range i.Timeline {
		all[n] = d.entry
	}
	return all
}

// final reports whether nothing comes after a status.
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

// stages is how far an order has come on its way. One that was compensated shows how far it came, and its end. A status of
// a newer release is a step between two that are known: it says where the order is, and nothing about good or bad.
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

// orderScreen is an order's page. What is nil could not be had.
type orderScreen struct {
	Order    order
	Tracking *insight
	Seen     int // the seq of the last entry that is shown
	Stages   []stage
	Pictures map[string]product
	Blind    bool            // inventory could not be asked for them
	Payment  told[backstage] // for operators only
	Shipment told[backstage]
	Account  string // why it was compensated, and what has become of the money
	Final    bool
	Back     bool // it was compensated: what was not done by now never will be
	exact    bool
}

// Time is a time as this reader wants it.
func (o orderScreen) Time(t time.Time) instant { return instant{t, o.exact} }

// backstage is what payments and shipping tell operators about an order.
type backstage struct {
	Tracking      string     `json:"tracking_number"`
	Status        string     `json:"status"`
	Attempts      int        `json:"attempts"`
	NextAttemptAt *time.Time `json:"next_attempt_at"`
	LastError     string     `json:"last_error"`
}

// Fails reports whether a payment that is to be given back is not: only then can an operator settle it.
func (b backstage) Fails() bool {
	return b.LastError != "" && (b.Status == "refunding" || b.Status == "withdrawing")
}

// UnderWay reports whether an operator can say what has become of a parcel.
func (b backstage) UnderWay() bool {
	return b.NextAttemptAt != nil && (b.Tracking != "" || b.LastError != "") && b.Status != "cancelled"
}

// getOrder asks everybody at once. Only the order itself is needed; what else does not come in time is a gap on the page.
func (s *site) getOrder(c echo.Context) error {
	at := "/api/orders/" + url.PathEscape(c.Param("id"))
	var screen orderScreen
	var all catalogue
	var missing, unasked error
	var asking sync.WaitGroup
	screen.exact = visitor(c).Operator()
	asking.Go(func() {
		if screen.Order, missing = read[order](c, s.orders, at); missing == nil {
			all, unasked = s.productsOf(c, screen.Order.skus(linesMost)) // names and pictures are not needed
		}
	})
	asking.Go(func() { screen.Tracking = orGap[insight](s, c, s.orders, "tracking", at+"/tracking").Value })
	if screen.exact {
		id := url.PathEscape(c.Param("id"))
		asking.Go(func() { screen.Payment = orGap[backstage](s, c, s.payments, "payments", "/api/payments/"+id) })
		asking.Go(func() { screen.Shipment = orGap[backstage](s, c, s.shipping, "shipping", "/api/shipments/"+id) })
	}
	asking.Wait()
	if missing != nil {
		return missing
	}
	screen.Pictures, screen.Blind = all.bySKU(), unasked != nil
	status, timeline := screen.Order.Status, []entry(nil)
	if screen.Tracking != nil { // it may have been read a moment later
		status, timeline = screen.Tracking.Status, screen.Tracking.entries()
		screen.Order.Status, screen.Order.Reason = status, screen.Tracking.Reason
	}
	if n := len(timeline); n > 0 {
		screen.Seen = timeline[n-1].Seq
	}
	screen.Stages, screen.Final = stages(status, timeline), final(status)
	screen.Back = slices.Contains(back, status)
	screen.Account = account(screen.Order, screen.Tracking, visitor(c).Caller.ID)
	return s.pages.render(c, http.StatusOK, "order.html", screen)
}

// told is what an upstream has told, for a page that can do without: nothing, or why that is not known.
type told[T any] struct {
	Value *T
	Away  *absence
}

// orGap is read for what a page can do without. Neither a value nor an absence means that there is none.
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
		Blind    bool // inventory could not be asked for them
	}
	path := "/api/orders?limit=20&cursor=" + url.QueryEscape(c.QueryParam("cursor"))
	if _, err := s.orders.JSON(c.Request().Context(), http.MethodGet, path, asVisitor(c), nil, &list); err != nil {
		return err
	}
	var skus []string
	for _, o := range list.Items {
		skus = append(skus, o.skus(picturesMost)...)
	}
	all, err := s.productsOf(c, skus) // pictures are not needed
	list.Pictures, list.Blind = all.bySKU(), err != nil
	return s.pages.render(c, http.StatusOK, "orders.html", list)
}
