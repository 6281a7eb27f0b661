package main

import (
	"net/url"
	"time"

	"example.com/orderflow/pkg/messages"
	"example.com/orderflow/pkg/text"
	"github.com/labstack/echo/v4"
)

const (
	draftCookie = "orderflow_draft"
	draftKept   = time.Hour
	draftMost   = 3500 // bytes: browsers allow 4096 for a whole cookie
)

// keepDraft keeps the input of the checkout in a cookie while its customer signs in again. The cookie is sealed, because it
// contains an address. It is removed when another person signs in, and at a sign-out.
func (s *site) keepDraft(c echo.Context) bool {
	form, err := c.FormParams()
	if err != nil {
		return false
	}
	kept := url.Values{}
	for _, name := range []string{"name", "street", "city", "postal_code", "country", "payment_method", "allow_backorder"} {
		if value := form.Get(name); !text.Card(value) { // card numbers are stored nowhere, not even sealed
			kept.Set(name, value)
		}
	}
	sealed, err := s.sealer.wrap(draftCookie, kept)
	if err != nil || len(sealed) > draftMost {
		return false
	}
	setCookie(c, draftCookie, sealed, time.Now().Add(draftKept))
	return true
}

// draft returns the form that was kept, or a new one.
func (s *site) draft(c echo.Context) checkout {
	var kept url.Values
	if s.sealer.unwrap(draftCookie, cookieOf(c, draftCookie), &kept) {
		form := typed(kept.Get)
		form.Kept = true
		return form
	}
	return checkout{Address: messages.Address{Name: visitor(c).Name(), Street: "1 Main St", City: "Berlin", PostalCode: "10115", Country: "DE"}}
}
