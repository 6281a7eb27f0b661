package main

import (
	"net/http"
	"time"

	"example.com/orderflow/pkg/messages"
	"github.com/google/uuid"
	"github.com/labstack/echo/v4"
)

// routes are the API of payments. Their paths are the public ones: the gateway adds nothing and takes nothing away. A
// customer sees his payment in the tracking of his order; this is for operators.
func (t *till) routes(e *echo.Echo, operator echo.MiddlewareFunc) {
	e.GET("/api/payments/:order_id", t.getPayment, operator)
}

// paymentBody is a payment as the API shows it.
type paymentBody struct {
	OrderID       string         `json:"order_id"`
	Status        status         `json:"status"`
	Amount        messages.Money `json:"amount"`
	Method        string         `json:"method"`
	Code          string         `json:"code,omitempty"`
	ChargeID      string         `json:"charge_id,omitempty"`
	RefundID      string         `json:"refund_id,omitempty"`
	Attempts      int            `json:"attempts"`
	NextAttemptAt *time.Time     `json:"next_attempt_at,omitempty"` // not once it is settled
	Trouble       string         `json:"trouble,omitempty"`
	CreatedAt     time.Time      `json:"created_at"`
	UpdatedAt     time.Time      `json:"updated_at"`
}

func (t *till) getPayment(c echo.Context) error {
	id, err := uuid.Parse(c.Param("order_id"))
	if err != nil {
		return errNoPayment
	}
	p, err := readPayment(c.Request().Context(), t.db, id.String())
	if err != nil {
		return err
	}
	body := paymentBody{
		OrderID: p.OrderID, Status: p.Status, Amount: p.Amount, Method: p.Method, Code: p.Code, ChargeID: p.ChargeID, RefundID: p.RefundID,
		Attempts: p.Attempts, Trouble: p.Trouble, CreatedAt: p.CreatedAt.UTC(), UpdatedAt: p.UpdatedAt.UTC(),
	}
	if p.DueAt != nil {
		due := p.DueAt.UTC()
		body.NextAttemptAt = &due
	}
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.JSON(http.StatusOK, body)
}
