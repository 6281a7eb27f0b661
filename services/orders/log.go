package main

import (
	"net/http"
	"slices"

	"github.com/labstack/echo/v4"

	"example.com/orderflow/pkg/fault"
	"example.com/orderflow/pkg/identity"
	"example.com/orderflow/pkg/unit"
	"example.com/orderflow/pkg/web"
)

// logOf returns what operators did about an order, oldest first: the entries of its timeline that they caused, and own, which is
// what only their log has.
func logOf(timeline []entry, own []action) []action {
	all := slices.Clone(own)
	for _, e := range timeline {
		if e.Operator != "" {
			all = append(all, action{e.At, e.Event, e.What, e.hand})
		}
	}
	slices.SortStableFunc(all, func(a, b action) int { return a.At.Compare(b.At) })
	return all
}

// postNote adds a note to an order. Customers never see it.
func (s *shop) postNote(c echo.Context) error {
	o, err := s.visible(c)
	if err != nil {
		return err
	}
	var request struct {
		Text string `json:"text"`
	}
	if err := web.JSON(c, &request); err != nil {
		return err
	}
	var fields fault.Fields
	request.Text = web.Text(&fields, "text", request.Text, 1, 500)
	if err := fields.Err(); err != nil {
		return err
	}
	ctx := c.Request().Context()
	err = s.office.Do(ctx, unit.Decision[*work]{
		Name: func(*work) {},
		Make: func(w *work) error {
			w.log = append(w.log, logged{o.ID, action{w.now(), noteAdded, noteText, hand{identity.From(ctx).ID, request.Text}}})
			return nil
		},
	})
	if err != nil {
		return err
	}
	return c.NoContent(http.StatusNoContent)
}
