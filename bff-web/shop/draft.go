package shop

import (
	"example.com/orderflow/bff-web/internal/cart"
	"example.com/orderflow/bff-web/internal/visitor"
	"example.com/orderflow/pkg/messages"
	"github.com/labstack/echo/v4"
)

// draft returns the form that was kept, or a new one.
func (s *Pages) draft(c echo.Context) checkout {
	if kept, ok := cart.Draft(c, s.sealer); ok {
		form := typed(kept.Get)
		form.Kept = true
		return form
	}
	return checkout{Address: messages.Address{Name: visitor.Of(c).Name(), Street: "1 Main St", City: "Berlin", PostalCode: "10115", Country: "DE"}}
}
