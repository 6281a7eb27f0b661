package order

import (
	"net/http"
	"net/url"

	"example.com/orderflow/bff-web/internal/site"
	"example.com/orderflow/bff-web/internal/upstream"
	"github.com/labstack/echo/v4"
)

// postRetry makes an order send the command again that it waits for.
func (s *Pages) postRetry(c echo.Context) error {
	id := url.PathEscape(c.Param("id"))
	err := upstream.Tell(c, s.orders, "/api/operations/orders/"+id+"/retry", "", nil, nil)
	switch {
	case err == nil:
		return site.SeeOther(c, site.WithNotice(c, "/orders/"+id, "asked"))
	case upstream.StatusOf(err) == http.StatusConflict:
		return site.SeeOther(c, site.WithNotice(c, "/orders/"+id, "over"))
	}
	return err
}

// postNote adds a note to an order, which its customer does not see.
func (s *Pages) postNote(c echo.Context) error {
	id := url.PathEscape(c.Param("id"))
	if err := upstream.Tell(c, s.orders, "/api/operations/orders/"+id+"/note", "", map[string]string{"text": c.FormValue("text")}, nil); err != nil {
		return err
	}
	return site.SeeOther(c, site.WithNotice(c, "/orders/"+id, "noted"))
}
