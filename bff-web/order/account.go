package order

import (
	"net/http"
	"net/url"
	"strings"

	"example.com/orderflow/bff-web/internal/orders"
	"example.com/orderflow/bff-web/internal/site"
	"example.com/orderflow/bff-web/internal/upstream"
	"example.com/orderflow/pkg/fault"
	"github.com/labstack/echo/v4"
)

// reasons says why an order was compensated, as a sentence for its customer. whatMoney says what happened to the money.
var reasons = map[string]string{
	"out_of_stock":     "There was not enough in stock.",
	"payment_declined": "The card was declined.",
	"payment_returned": "The payment was reversed.",
	"undeliverable":    "The parcel could not be delivered.",
	"customer_request": "You asked for it.",
	"operator_request": "The shop has cancelled it.",
	"expired":          "It took too long.",
}

// account says why an order was compensated, and what happened to its money. It says no more than is known: without the
// tracking, nothing about the money.
func account(o orders.Order, t *orders.Insight, who string) string {
	why := reasons[o.Reason]
	if o.Reason == "customer_request" && o.CustomerID != who {
		why = "The customer asked for it."
	}
	if o.Reason != "" && t != nil {
		why += " " + whatMoney(t)
	}
	return strings.TrimSpace(why)
}

// whatMoney says what happened to the money of an order that was compensated.
func whatMoney(t *orders.Insight) string {
	paid := ""
	if t.Payment != nil {
		paid = t.Payment.Status
	}
	switch {
	case paid == "refunded":
		return "What was charged has been given back."
	case paid == "taken" && t.Status == "withdrawing":
		return "What was charged is given back once the parcel has been called back."
	case paid == "taken" && !orders.Final(t.Status):
		return "What was charged is being given back."
	case paid == "requested" && !orders.Final(t.Status):
		return "If anything is charged, it is given back."
	case paid == "", paid == "declined":
		return "Nothing was charged."
	}
	return ""
}

// postSettlement sends an operator's settlement to payments or shipping, for when the provider or the carrier gives no answer.
func (s *Pages) postSettlement(c echo.Context) error {
	id, reason := url.PathEscape(c.Param("id")), c.FormValue("reason")
	var err error
	switch c.FormValue("what") {
	case "payment":
		err = upstream.Tell(c, s.payments, "/api/payments/"+id+"/settlement", "", map[string]string{"reason": reason}, nil)
	case "shipment":
		err = upstream.Tell(c, s.shipping, "/api/shipments/"+id+"/settlement", "", map[string]string{"outcome": c.FormValue("outcome"), "reason": reason}, nil)
	default:
		err = fault.New(fault.Invalid, "what is to be settled was not said")
	}
	if err != nil {
		return err
	}
	return site.SeeOther(c, site.WithNotice(c, "/orders/"+id, "settled"))
}

// postCancellation cancels an order: the visitor's own, or any order with a reason if the visitor is an operator.
func (s *Pages) postCancellation(c echo.Context) error {
	id := url.PathEscape(c.Param("id"))
	var body any
	if reason := c.FormValue("reason"); reason != "" {
		body = map[string]string{"reason": reason}
	}
	err := upstream.Tell(c, s.orders, "/api/orders/"+id+"/cancellation", "", body, nil)
	switch {
	case err == nil:
		return site.SeeOther(c, site.WithNotice(c, "/orders/"+id, "cancelled"))
	case upstream.StatusOf(err) == http.StatusConflict:
		return site.SeeOther(c, site.WithNotice(c, "/orders/"+id, "late"))
	}
	return err
}
