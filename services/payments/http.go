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

// routes registers the API of payments. The paths are the public ones: the gateway passes them on unchanged. The API is for
// operators; customers see their payment in the tracking of their order.
func (t *till) routes(e *web.Server, operator echo.MiddlewareFunc) {
	e.GET("/api/payments/:order_id", t.getPayment, operator)
	e.POST("/api/payments/:order_id/settlement", t.postSettlement, operator)
	tally.Register(e, operator, t.books)
}

// paymentBody is a payment as the API shows it.
type paymentBody struct {
	OrderID       string           `json:"order_id"`
	Status        status           `json:"status"`
	Amount        messages.Money   `json:"amount"`
	PaymentMethod string           `json:"payment_method"`
	Code          string           `json:"code,omitempty"`
	ChargeID      string           `json:"charge_id,omitempty"`
	RefundID      string           `json:"refund_id,omitempty"`
	Attempts      int              `json:"attempts"`
	NextAttemptAt *time.Time       `json:"next_attempt_at,omitempty"` // absent once it is settled
	LastError     string           `json:"last_error,omitempty"`
	Calls         []client.Attempt `json:"calls"` // of the provider, the last 20 attempts
	CreatedAt     time.Time        `json:"created_at"`
	UpdatedAt     time.Time        `json:"updated_at"`

	Settlement *settlementBody `json:"settlement,omitempty"` // present if an operator has settled it
}

type settlementBody struct {
	Operator string    `json:"operator"`
	Reason   string    `json:"reason"`
	At       time.Time `json:"at"`
}

func bodyOf(p payment) paymentBody {
	body := paymentBody{
		OrderID: p.OrderID, Status: p.Status, Amount: p.Amount, PaymentMethod: p.Method, Code: p.Code, ChargeID: p.ChargeID, RefundID: p.RefundID,
		Attempts: p.Attempts, NextAttemptAt: p.DueAt, LastError: p.LastError, Calls: append([]client.Attempt{}, p.Calls...), CreatedAt: p.CreatedAt, UpdatedAt: p.UpdatedAt,
	}
	if p.SettledAt != nil {
		body.Settlement = &settlementBody{p.SettledBy, p.SettledWhy, *p.SettledAt}
	}
	return body
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
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.JSON(http.StatusOK, bodyOf(p))
}

// postSettlement records an operator's statement that the customer has their money, for when the provider cannot be made to
// refund it. Orders is told as after any refund.
func (t *till) postSettlement(c echo.Context) error {
	id, err := uuid.Parse(c.Param("order_id"))
	if err != nil {
		return errNoPayment
	}
	var request struct {
		Reason string `json:"reason"`
	}
	if err := web.JSON(c, &request); err != nil {
		return err
	}
	var fields fault.Fields
	request.Reason = web.Text(&fields, "reason", request.Reason, 1, 500)
	if err := fields.Err(); err != nil {
		return err
	}
	ctx, now := c.Request().Context(), t.now()
	word := settlement{identity.From(ctx).ID, request.Reason, &now}
	var settled payment
	err = t.office.Do(ctx, unit.Decision[*work]{
		Name: func(w *work) { w.payments.Name(id.String()) },
		Make: func(w *work) error {
			p, known := w.payments.Get(id.String())
			if !known {
				return errNoPayment
			}
			next, ok := p.settle(word, now)
			if !ok {
				return fault.New(fault.Conflict, "the payment is %s: only a refund that the provider has failed to make can be settled by hand", p.Status)
			}
			settled = next.payment
			w.put(p.Origin, next)
			return nil
		},
	})
	if err != nil {
		return err
	}
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.JSON(http.StatusOK, bodyOf(settled))
}
