package main

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"iter"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
)

// keyCookie has the Idempotency-Key of the order that comes next, by the currency that it is in: a cart of two is two orders.
// The key belongs to the cart and not to a page, and goes when its order is known to be made: whatever page the customer
// comes by after an answer was lost, the cart is ordered once.
const (
	keyCookie  = "orderflow_key."
	noCurrency = "XXX" // in ISO 4217, too; here the page knows no price
	secondMost = 10    // orders that one customer may ask for, one after another, without hearing of the first
)

var keyForm = regexp.MustCompile(`^[A-Z2-7]{26}$`) // as rand.Text makes it

// keyFor is the key of the cart's order in a currency; empty: it is not known now, and may have been before.
func keyFor(c echo.Context, currency string) string {
	keys := maps.Collect(keysOf(c))
	if currency == "" && len(keys) > 0 {
		return keys[slices.Min(slices.Collect(maps.Keys(keys)))]
	}
	if key := cmp.Or(keys[currency], keys[noCurrency]); key != "" {
		return key
	}
	key := rand.Text()
	setCookie(c, keyCookie+cmp.Or(currency, noCurrency), key, time.Now().Add(cartKept))
	return key
}

func keysOf(c echo.Context) iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for currency, key := range cookiesOf(c, keyCookie) {
			if keyForm.MatchString(key) && !yield(currency, key) {
				return
			}
		}
	}
}

// keyAfter is the key of the order that is asked for once more. It follows from the key before, so that asking for a second
// one twice is asking for one.
func keyAfter(key string) string {
	sum := sha256.Sum256([]byte(key))
	return base32.StdEncoding.EncodeToString(sum[:])[:len(key)]
}

// used takes away a key whose order has been made. It reports false when that was known before.
func used(c echo.Context, key string) bool {
	for currency, next := range keysOf(c) {
		for range secondMost {
			if next == key {
				setCookie(c, keyCookie+currency, "", time.Time{})
				return true
			}
			next = keyAfter(next)
		}
	}
	return false
}

// cookiesOf are the cookies whose names begin with a prefix, by what comes behind it, in the order in which the browser tells
// them: the oldest first.
func cookiesOf(c echo.Context, prefix string) iter.Seq2[string, string] {
	before, after, _ := strings.Cut(cookieName(c, prefix), prefix)
	return func(yield func(string, string) bool) {
		for _, cookie := range c.Cookies() {
			rest, ours := strings.CutPrefix(cookie.Name, before+prefix)
			rest, here := strings.CutSuffix(rest, after)
			if ours && here && !yield(rest, cookie.Value) {
				return
			}
		}
	}
}
