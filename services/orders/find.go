package main

import (
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"example.com/orderflow/pkg/fault"
	"example.com/orderflow/pkg/web"
)

// foundFilters are the parameters of the operators' list of orders, beside limit and cursor.
var foundFilters = []string{"status", "customer_id", "id", "tracking_number", "sku", "from", "to", "attention"}

// foundBody is an order in the operators' list.
type foundBody struct {
	orderBody
	TrackingNumber string     `json:"tracking_number,omitempty"`
	AttentionSince *time.Time `json:"attention_since,omitempty"`
}

// getFound lists the orders of all customers that fit a search, newest first.
func (s *shop) getFound(c echo.Context) error {
	limit, before, err := page(c)
	if err != nil {
		return err
	}
	wanted, err := searchOf(c)
	if err != nil {
		return err
	}
	wanted.Before = before
	orders, behind, err := findOrders(c.Request().Context(), s.db, wanted, limit+1)
	if err != nil {
		return err
	}
	list, err := web.NewPage(orders, limit, func(o order) any {
		return foundBody{bodyOf(o), o.Shipment.TrackingNumber, o.AttentionSince}
	}, func(o order) string { return web.Cursor(o.ID) })
	if err != nil {
		return err
	}
	if list.Next == "" && behind != "" {
		list.Next = web.Cursor(behind)
	}
	c.Response().Header().Set("Cache-Control", "no-store")
	return c.JSON(http.StatusOK, list)
}

var endFormat = regexp.MustCompile(`^[0-9a-f-]{8,36}$`) // endOfID

// searchOf reads the filters of a request. An empty one counts as not given: a form sends all of its fields.
func searchOf(c echo.Context) (s search, err error) {
	malformed := func(name, format string, args ...any) {
		if err == nil {
			err = fault.New(fault.Malformed, name+" must be "+format, args...)
		}
	}
	text := func(name string, most int) *string {
		value := strings.TrimSpace(c.QueryParam(name))
		if len(value) > most {
			malformed(name, "at most %d bytes", most)
		}
		if value == "" {
			return nil
		}
		return &value
	}
	moment := func(name string) *time.Time {
		value := text(name, 64)
		if value == nil {
			return nil
		}
		at, wrong := time.Parse(time.RFC3339, *value)
		if wrong != nil {
			malformed(name, "a time like 2026-01-31T12:00:00Z (RFC 3339)")
		}
		return &at
	}
	if value := text("status", 64); value != nil {
		wanted := status(*value)
		if _, known := saga[wanted]; !known {
			malformed("status", "one of the statuses of an order")
		}
		s.Status = &wanted
	}
	if s.End = text("id", 64); s.End != nil {
		end := strings.ToLower(*s.End)
		if s.End = &end; !endFormat.MatchString(end) {
			malformed("id", "the id of an order, or its end, of at least %d characters", endOfID)
		}
	}
	if s.SKU = text("sku", 64); s.SKU != nil && !skuFormat.MatchString(*s.SKU) {
		malformed("sku", "1 to 64 capital letters, digits and hyphens, not a hyphen first")
	}
	switch value := text("attention", 5); {
	case value != nil && *value != "true":
		malformed("attention", "true, or left out")
	case value != nil:
		s.Attention = true
	}
	s.Customer, s.Tracking = text("customer_id", 255), text("tracking_number", 255)
	s.From, s.To = moment("from"), moment("to")
	return s, err
}
