package main

import (
	"net/http"
	"net/url"
	"time"

	"github.com/labstack/echo/v4"
)

// action is what an operator did about an order.
type action struct {
	At       time.Time `json:"at"`
	Operator string    `json:"operator"`
	What     string    `json:"what"`
	Why      string    `json:"reason"`
}

// postRetry makes an order send the command again that it waits for.
func (s *site) postRetry(c echo.Context) error {
	id := url.PathEscape(c.Param("id"))
	err := tell(c, s.orders, "/api/operations/orders/"+id+"/retry", "", nil, nil)
	switch {
	case err == nil:
		return seeOther(c, withNotice(c, "/orders/"+id, "asked"))
	case statusOf(err) == http.StatusConflict:
		return seeOther(c, withNotice(c, "/orders/"+id, "over"))
	}
	return err
}

// postNote adds a note to an order, which its customer does not see.
func (s *site) postNote(c echo.Context) error {
	id := url.PathEscape(c.Param("id"))
	if err := tell(c, s.orders, "/api/operations/orders/"+id+"/note", "", map[string]string{"text": c.FormValue("text")}, nil); err != nil {
		return err
	}
	return seeOther(c, withNotice(c, "/orders/"+id, "noted"))
}
