package cart

import (
	"crypto/sha256"
	"encoding/base64"
	"time"

	"example.com/orderflow/bff-web/internal/visitor"
	"github.com/labstack/echo/v4"
)

// ownerCookie says to whom the cart in this browser belongs, even after the session has expired.
const ownerCookie = "orderflow_owner"

// Claim gives the cart to the person who signs in: a cart without an owner is kept, one that belongs to another person is
// emptied.
func Claim(c echo.Context, id string) {
	hash := sha256.Sum256([]byte(id))
	me := base64.RawURLEncoding.EncodeToString(hash[:12])
	if owner := visitor.Cookie(c, ownerCookie); owner != "" && owner != me {
		Forget(c)
	}
	visitor.SetCookie(c, ownerCookie, me, time.Now().Add(cartKept))
}

// Forget removes all data of a person from the browser, except the session.
func Forget(c echo.Context) {
	BasketOf(c).empty()
	for currency := range keysOf(c) {
		visitor.SetCookie(c, keyCookie+currency, "", time.Time{})
	}
	for _, name := range []string{draftCookie, ownerCookie} {
		if visitor.Cookie(c, name) != "" {
			visitor.SetCookie(c, name, "", time.Time{})
		}
	}
}
