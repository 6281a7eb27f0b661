package main

import (
	"net/http"
	"time"

	"example.com/orderflow/pkg/messages"
	"github.com/google/uuid"
	"github.com/labstack/echo/v4"
)

// routes are the API of shipping. Their paths are the public ones: the gateway adds nothing and takes nothing away. A
// customer sees his parcel in the tracking of his order; this is for operators.
func (d *dock) routes(e *echo.Echo, operator echo.MiddlewareFunc) {
	e.GET("/api/shipments/:order_id", d.getShipment, operator)
}

// shipmentBody is a shipment as the API shows it.
type shipmentBody struct {
	OrderID           string           `json:"order_id"`
	Status            status           `json:"status"`
	Reason            reason           `json:"reason,omitempty"`
	Address           messages.Address `json:"address"`
	Lines             []messages.Line  `json:"lines"`
	Carrier           string           `json:"carrier,omitempty"`
	TrackingNumber    string           `json:"tracking_number,omitempty"`
	EstimatedDelivery *time.Time       `json:"estimated_delivery,omitempty"`
	Stages            []stage          `json:"stages"`
	CancelWanted      bool             `json:"cancel_wanted"`
	Attempts          int              `json:"attempts"`                  // since the last news
	NextAttemptAt     *time.Time       `json:"next_attempt_at,omitempty"` // not when there is nothing to do
	Trouble           string           `json:"trouble,omitempty"`
	CreatedAt         time.Time        `json:"created_at"`
	UpdatedAt         time.Time        `json:"updated_at"` // of the last news
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
	return c.JSON(http.StatusOK, shipmentBody{
		OrderID: s.OrderID, Status: s.Status, Reason: s.Reason, Address: s.Address, Lines: s.Lines,
		Carrier: s.Carrier, TrackingNumber: s.TrackingNumber, EstimatedDelivery: utc(s.EstimatedDelivery), Stages: s.Stages,
		CancelWanted: s.CancelWanted, Attempts: s.Attempts, NextAttemptAt: utc(s.DueAt), Trouble: s.Trouble,
		CreatedAt: s.CreatedAt.UTC(), UpdatedAt: s.UpdatedAt.UTC(),
	})
}

func utc(t *time.Time) *time.Time {
	if t == nil {
		return nil
	}
	u := t.UTC()
	return &u
}
