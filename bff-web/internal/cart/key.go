package cart

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"iter"
	"maps"
	"regexp"
	"slices"
	"time"

	"example.com/orderflow/bff-web/internal/visitor"
	"github.com/labstack/echo/v4"
)

// keyCookie is the prefix of the cookies with the Idempotency-Key of the next order in each currency: a cart with two
// currencies is two orders. The key belongs to the cart, not to a page, and is removed when its order is known to be made. So
// the cart is ordered only once, even if an answer was lost and the customer comes back by another page.
const (
	keyCookie  = "orderflow_key."
	NoCurrency = "XXX" // ISO 4217's code for no currency; here: the page knows no price
	secondMost = 10    // how many orders a customer can confirm one after another before the answer to the first arrives
)

// KeyForm is the form of a key.
var KeyForm = regexp.MustCompile(`^[A-Z2-7]{26}$`) // that of rand.Text

// KeyFor returns the key for the cart's order in a currency. An empty currency means that it is not known now, but may have
// been before.
func KeyFor(c echo.Context, currency string) string {
	keys := maps.Collect(keysOf(c))
	if currency == "" && len(keys) > 0 {
		return keys[slices.Min(slices.Collect(maps.Keys(keys)))]
	}
	if key := cmp.Or(keys[currency], keys[NoCurrency]); key != "" {
		return key
	}
	key := rand.Text()
	visitor.SetCookie(c, keyCookie+cmp.Or(currency, NoCurrency), key, time.Now().Add(cartKept))
	return key
}

func keysOf(c echo.Context) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for currency, key := range visitor.Cookies(c, keyCookie) {
			if KeyForm.MatchString(key) && !yield(currency, key) {
				return
			}
		}
	}
}

// KeyAfter returns the key of a further order of the same cart. It is computed from the key before it, so that asking twice for
// a second order makes only one.
func KeyAfter(key string) string {
	sum := sha256.Sum256([]byte(key))
	return base32.StdEncoding.EncodeToString(sum[:])[:len(key)]
}

// Used removes a key whose order was made. It returns false if the key had been removed before.
func Used(c echo.Context, key string) bool {
	for currency, next := range keysOf(c) {
		for range secondMost {
			if next == key {
				visitor.SetCookie(c, keyCookie+currency, "", time.Time{})
				return true
			}
			next = KeyAfter(next)
		}
	}
	return false
}
