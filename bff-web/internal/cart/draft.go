package cart

import (
	"net/url"
	"time"

	"example.com/orderflow/bff-web/internal/visitor"
	"example.com/orderflow/pkg/text"
	"github.com/labstack/echo/v4"
)

const (
	draftCookie = "orderflow_draft"
	draftKept   = time.Hour
	draftMost   = 3500 // bytes: browsers allow 4096 for a whole cookie
)

// KeepDraft keeps the input of the checkout in a cookie while its customer signs in again. The cookie is sealed, because it
// contains an address. It is removed when another person signs in, and at a sign-out.
func KeepDraft(c echo.Context, sealer visitor.Sealer) bool {
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
	sealed, err := sealer.Wrap(draftCookie, kept)
	if err != nil || len(sealed) > draftMost {
		return false
	}
	visitor.SetCookie(c, draftCookie, sealed, time.Now().Add(draftKept))
	return true
}

// Draft returns the input that was kept. ok is false if there is none.
func Draft(c echo.Context, sealer visitor.Sealer) (kept url.Values, ok bool) {
	ok = sealer.Unwrap(draftCookie, visitor.Cookie(c, draftCookie), &kept)
	return kept, ok
}

// DropDraft removes the input that was kept.
func DropDraft(c echo.Context) { visitor.SetCookie(c, draftCookie, "", time.Time{}) }
