package main

import (
	"net/http"
	"time"

	"github.com/google/uuid"
	"github.com/labstack/echo/v4"

	"example.com/orderflow/pkg/client"
	"example.com/orderflow/pkg/fault"
	"example.com/orderflow/pkg/identity"
	"example.com/orderflow/pkg/messages"
	"example.com/orderflow/pkg/tally"
	"example.com/orderflow/pkg/unit"
	"example.com/orderflow/pkg/web"
)

// routes registers the API of shipping. The paths are the public ones: the gateway passes them on unchanged. The API is for
// operators; customers see their parcel in the tracking of their order.
func (d *dock) routes(e *web.Server, operator echo.MiddlewareFunc) {
	e.GET("/api/shipments/:order_id", d.getShipment, operator)
	e.POST("/api/shipments/:order_id/settlement", d.postSettlement, operator)
	tally.Register(e, operator, d.books)
}

// shipmentBody is a shipment as the API shows it.
type shipmentBody struct {
	OrderID           string           `json:"order_id"`
	Status            status           `json:"status"`
	Reason            reason           `json:"reason,omitempty"`
	ShippingAddress   messages.Address `json:"shipping_address"`
	Lines             []messages.Line  `json:"lines"`
	Carrier           string           `json:"carrier,omitempty"`
	TrackingNumber    string           `json:"tracking_number,omitempty"`
	EstimatedDelivery *time.Time       `json:"estimated_delivery,omitempty"`
	Stages            []stage          `json:"stages"`
	CancelWanted      bool             `json:"cancel_wanted"`
	Attempts          int              `json:"attempts"`                  // since the last progress
	NextAttemptAt     *time.Time       `json:"next_attempt_at,omitempty"` // absent if there is nothing to do
	LastError         string           `json:"last_error,omitempty"`
	Calls             []client.Attempt `json:"calls"` // of the carrier about this shipment alone, the last 20 attempts; not those that follow many parcels at once
	CreatedAt         time.Time        `json:"created_at"`
	UpdatedAt         time.Time        `json:"updated_at"` // time of the last progress

	Settlement *settlementBody `json:"settlement,omitempty"` // present if an operator has settled it
}

type settlementBody struct {
	Operator string    `json:"operator"`
	Reason   string    `json:"reason"`
	At       time.Time `json:"at"`
}

func bodyOf(s shipment) shipmentBody {
	body := shipmentBody{
		OrderID: s.OrderID, Status: s.Status, Reason: s.Reason, ShippingAddress: s.Address, Lines: s.Lines,
		Carrier: s.Carrier, TrackingNumber: s.TrackingNumber, EstimatedDelivery: s.EstimatedDelivery, Stages: s.Stages,
		CancelWanted: s.CancelWanted, Attempts: s.Attempts, NextAttemptAt: s.DueAt, LastError: s.LastError, Calls: append([]client.Attempt{}, s.Calls...),
		CreatedAt: s.CreatedAt, UpdatedAt: s.UpdatedAt,
	}
	if s.SettledAt != nil {
		body.Settlement = &settlementBody{s.SettledBy, s.SettledWhy, *s.SettledAt}
	}
	return body
}

func (d *dock) getShipment(c echo.Context) error {
	id, err := uuid.Parse(c.Param("order_id"))
	if err != nil {
		return errNoShipment
	}
	s, err := readShipment(c.Request().Context(), d.db, id.String())
	if err != nil {
		return err
	}
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.JSON(http.StatusOK, bodyOf(s))
}

// postSettlement records an operator's statement about what happened to a parcel, for when the carrier cannot be made to say.
// Orders is told as at any other end of a shipment.
func (d *dock) postSettlement(c echo.Context) error {
	id, err := uuid.Parse(c.Param("order_id"))
	if err != nil {
		return errNoShipment
	}
	var request struct {
		Outcome status `json:"outcome"`
		Reason  string `json:"reason"`
	}
	if err := web.JSON(c, &request); err != nil {
		return err
	}
	var fields fault.Fields
	fields.Check(request.Outcome == delivered || request.Outcome == failed, "outcome", "must be delivered or failed")
	request.Reason = web.Text(&fields, "reason", request.Reason, 1, 500)
	if err := fields.Err(); err != nil {
		return err
	}
	ctx, now := c.Request().Context(), d.now()
	word := settlement{identity.From(ctx).ID, request.Reason, &now}
	var settled shipment
	err = d.office.Do(ctx, unit.Decision[*work]{
		Name: func(w *work) { w.shipments.Name(id.String()) },
		Make: func(w *work) error {
			s, known := w.shipments.Get(id.String())
			if !known {
				return errNoShipment
			}
			next, ok := s.settle(request.Outcome, word, now)
			if !ok {
				return fault.New(fault.Conflict, "the shipment is %s and cannot be settled as %s by hand", s.Status, request.Outcome)
			}
			settled = next.shipment
			w.put(s.Origin, next)
			return nil
		},
	})
	if err != nil {
		return err
	}
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.JSON(http.StatusOK, bodyOf(settled))
}
