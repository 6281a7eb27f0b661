package main

import (
	"maps"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"example.com/orderflow/pkg/fault"
	"example.com/orderflow/pkg/identity"
	"example.com/orderflow/pkg/messages"
	"example.com/orderflow/pkg/tally"
	"example.com/orderflow/pkg/telemetry"
	"example.com/orderflow/pkg/unit"
	"example.com/orderflow/pkg/web"
)

const (
	pageDefault   = 20
	pageMost      = 100
	attentionMost = 200 // the largest page, and the default
)

// routes registers the API of orders. The paths are the public ones: the gateway passes them on unchanged.
func (s *shop) routes(e *web.Server, customer, operator echo.MiddlewareFunc) {
	e.Takes("/api/orders", "limit", "cursor")
	e.POST("/api/orders", s.postOrder, customer)
	e.GET("/api/orders", s.getOrders, customer)
	e.GET("/api/orders/:id", s.getOrder, customer)
	e.GET("/api/orders/:id/tracking", s.getTracking, customer)
	e.POST("/api/orders/:id/cancellation", s.postCancellation, customer)

	e.Takes("/api/operations/attention", "limit", "cursor")
	e.GET("/api/operations/attention", s.getAttention, operator)
	e.Takes("/api/operations/orders", append([]string{"limit", "cursor"}, foundFilters...)...)
	e.GET("/api/operations/orders", s.getFound, operator)
	e.POST("/api/operations/orders/:id/retry", s.postRetry, operator)
	e.POST("/api/operations/orders/:id/note", s.postNote, operator)
	tally.Register(e, operator, s.books)
}

// orderBody is an order as the API shows it.
type orderBody struct {
	ID              string            `json:"id"`
	CustomerID      string            `json:"customer_id"`
	Status          status            `json:"status"`
	Reason          reason            `json:"reason,omitempty"`
	Lines           []line            `json:"lines"`
	Total           messages.Money    `json:"total"`
	ShippingAddress messages.Address  `json:"shipping_address"`
	AllowBackorder  bool              `json:"allow_backorder"`
	CreatedAt       time.Time         `json:"created_at"`
	UpdatedAt       time.Time         `json:"updated_at"`
	Links           map[string]string `json:"links"`
}

func bodyOf(o order) orderBody {
	self := pathOf(o.ID)
	links := map[string]string{"self": self, "tracking": self + "/tracking"}
	if saga[o.Status].compensation != "" {
		links["cancellation"] = self + "/cancellation"
	}
	return orderBody{
		ID: o.ID, CustomerID: o.CustomerID, Status: o.Status, Reason: o.Reason, Lines: o.Lines, Total: o.Total,
		ShippingAddress: o.ShippingAddress, AllowBackorder: o.AllowBackorder,
		CreatedAt: o.CreatedAt, UpdatedAt: o.UpdatedAt, Links: links,
	}
}

func pathOf(id string) string { return "/api/orders/" + id }

// tagOf returns the entity tag of an order: it changes whenever the order does.
func tagOf(o order) string { return o.ID + "-" + strconv.Itoa(o.Seq) }

func (s *shop) getOrders(c echo.Context) error {
	limit, before, err := page(c)
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	orders, err := ordersOf(ctx, s.db, identity.From(ctx).ID, before, limit+1)
	if err != nil {
		return err
	}
	list, err := web.NewPage(orders, limit, func(o order) any { return bodyOf(o) }, func(o order) string { return web.Cursor(o.ID) })
	if err != nil {
		return err
	}
	c.Response().Header().Set("Cache-Control", "private, no-cache")
	return c.JSON(http.StatusOK, list)
}

// page reads limit and cursor. A cursor contains the id of the last order of the previous page.
func page(c echo.Context) (limit int, before string, err error) {
	if limit, err = web.Limit(c, pageDefault, pageMost); err != nil {
		return 0, "", err
	}
	after, err := web.After(c, 1)
	if err != nil || after == nil {
		return limit, "", err
	}
	if id, err := uuid.Parse(after[0]); err != nil || id.String() != after[0] {
		return 0, "", web.ErrCursor
	}
	return limit, after[0], nil
}

func (s *shop) getOrder(c echo.Context) error {
	o, err := s.visible(c)
	if err != nil {
		return err
	}
	c.Response().Header().Set("Cache-Control", "private, no-cache")
	if fresh, err := web.ETag(c, tagOf(o)); fresh {
		return err
	}
	return c.JSON(http.StatusOK, bodyOf(o))
}

// tracking is the body with which a customer follows an order.
type tracking struct {
	OrderID           string     `json:"order_id"`
	Status            status     `json:"status"`
	Reason            reason     `json:"reason,omitempty"`
	Timeline          []entry    `json:"timeline"`
	Payment           *payment   `json:"payment"`  // null before it is requested
	Shipment          *shipment  `json:"shipment"` // null before it is arranged
	EstimatedDelivery *time.Time `json:"estimated_delivery"`
	Log               []action   `json:"log,omitempty"`      // for operators only: what they did
	TraceID           string     `json:"trace_id,omitempty"` // for operators only: of the request that placed the order, and of all that followed
}

func (s *shop) getTracking(c echo.Context) error {
	o, err := s.visible(c)
	if err != nil {
		return err
	}
	timeline, err := timelineOf(c.Request().Context(), s.db, o.ID)
	if err != nil {
		return err
	}
	tag := o.ID + "-" + strconv.Itoa(o.Seq) + "-" + strconv.Itoa(len(o.Shipment.Stages))
	var log []action
	var trace string
	if ctx := c.Request().Context(); identity.From(ctx).Has(identity.ScopeOperations) {
		own, err := readLog(ctx, s.db, o.ID)
		if err != nil {
			return err
		}
		tag += "-by-whom-" + strconv.Itoa(len(own)) // operators are also shown who did it, customers are not
		log, trace = logOf(timeline, own), telemetry.TraceIDOf(o.TraceParent)
	} else {
		for i := range timeline {
			timeline[i].hand = hand{}
		}
	}
	t := tracking{OrderID: o.ID, Status: o.Status, Reason: o.Reason, Timeline: timeline, Log: log, TraceID: trace}
	if o.Payment.Status != "" {
		t.Payment = &o.Payment
	}
	if len(o.Shipment.Stages) > 0 {
		t.Shipment = &o.Shipment
	}
	if e := o.Shipment.EstimatedDelivery; !e.IsZero() && !o.Status.final() && !o.Status.compensating() {
		t.EstimatedDelivery = &e
	}
	c.Response().Header().Set("Cache-Control", "private, no-cache")
	if fresh, err := web.ETag(c, tag); fresh {
		return err
	}
	return c.JSON(http.StatusOK, t)
}

func (s *shop) postCancellation(c echo.Context) error {
	seen, err := s.visible(c)
	if err != nil {
		return err
	}
	by, err := cancelling(c, seen)
	if err != nil {
		return err
	}
	r := c.Request() // c may already serve another request when the decision is made
	ctx := r.Context()
	var o order
	err = s.office.Do(ctx, unit.Decision[*work]{
		Name: func(w *work) { w.orders.Name(seen.ID) },
		Make: func(w *work) error {
			now, _ := w.orders.Get(seen.ID) // found: an order is never deleted
			if err := web.Condition(r, true, func(tag string) bool { return tag == tagOf(now) }); err != nil {
				return err
			}
			out, ok := now.cancel(by, w.now(), w.timeouts)
			if !ok {
				return fault.New(fault.Conflict, "the order is %s and can no longer be cancelled", now.Status)
			}
			o = out.order
			w.put(ctx, out)
			return nil
		},
	})
	if err != nil {
		return err
	}
	c.Response().Header().Set("Location", pathOf(o.ID))
	return c.JSON(http.StatusAccepted, bodyOf(o))
}

// cancelling reads who asks for the cancellation, and why. The body may be left out. Only operators are named.
func cancelling(c echo.Context, o order) (by hand, err error) {
	var request struct {
		Reason string `json:"reason"`
	}
	if err := web.OptionalJSON(c, &request); err != nil {
		return hand{}, err
	}
	var fields fault.Fields
	request.Reason = web.Text(&fields, "reason", request.Reason, 0, 500)
	if err := fields.Err(); err != nil {
		return hand{}, err
	}
	by.Why = request.Reason
	if who := identity.From(c.Request().Context()).ID; who != o.CustomerID {
		by.Operator = who
	}
	return by, nil
}

// visible returns the order in the request's path if the caller may see it: customers see their own, operators see all. For all
// other callers the order does not exist.
func (s *shop) visible(c echo.Context) (order, error) {
	id, err := uuid.Parse(c.Param("id"))
	if err != nil {
		return order{}, errNoOrder
	}
	ctx := c.Request().Context()
	o, err := readOrder(ctx, s.db, id.String())
	if err != nil {
		return order{}, err
	}
	if who := identity.From(ctx); o.CustomerID != who.ID && !who.Has(identity.ScopeOperations) {
		return order{}, errNoOrder
	}
	return o, nil
}

// getAttention lists the orders that need attention, those first that have needed it longest.
func (s *shop) getAttention(c echo.Context) error {
	limit, err := web.Limit(c, attentionMost, attentionMost)
	if err != nil {
		return err
	}
	since, id, err := attentionAfter(c)
	if err != nil {
		return err
	}
	ctx := c.Request().Context()
	orders, err := ordersThatNeedAttention(ctx, s.db, since, id, limit+1)
	if err != nil {
		return err
	}
	type item struct {
		OrderID    string    `json:"order_id"`
		CustomerID string    `json:"customer_id"`
		Status     status    `json:"status"`
		Reason     reason    `json:"reason,omitempty"`
		Since      time.Time `json:"since"`
		WaitsFor   string    `json:"waits_for"` // the command that has had no answer
		advice
		Links map[string]string `json:"links"`
	}
	list, err := web.NewPage(orders, limit, func(o order) any {
		waits, links := saga[o.Status].command(o).Kind(), bodyOf(o).Links
		todo := adviceOn(waits)
		maps.Copy(links, todo.links(o))
		return item{o.ID, o.CustomerID, o.Status, o.Reason, *o.AttentionSince, waits, todo, links}
	}, func(o order) string { return web.Cursor(o.AttentionSince.Format(time.RFC3339Nano), o.ID) })
	if err != nil {
		return err
	}
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.JSON(http.StatusOK, list)
}

// attentionAfter reads the cursor of the attention list. It contains the time and the id of the last order that was shown.
func attentionAfter(c echo.Context) (since time.Time, id string, err error) {
	after, err := web.After(c, 2)
	if err != nil || after == nil {
		return time.Time{}, uuid.Nil.String(), err
	}
	since, err = time.Parse(time.RFC3339Nano, after[0])
	if err != nil || uuid.Validate(after[1]) != nil {
		return time.Time{}, "", web.ErrCursor
	}
	return since, after[1], nil
}
