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

// keyCookie is the prefix of the cookies with the Idempotency-Key of the next order in each currency: a cart with two
// currencies is two orders. The key belongs to the cart, not to a page, and is removed when its order is known to be made. So
// the cart is ordered only once, even if an answer was lost and the customer comes back by another page.
const (
	keyCookie  = "orderflow_key."
	noCurrency = "XXX" // ISO 4217's code for no currency; here: the page knows no price
	secondMost = 10    // how many orders a customer can confirm one after another before the answer to the first arrives
)

var keyForm = regexp.MustCompile(`^[A-Z2-7]{26}$`) // the form of rand.Text

// keyFor returns the key for the cart's order in a currency. An empty currency means that it is not known now, but may have
// been before.
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

// keyAfter returns the key of a further order of the same cart. It is computed from the key before it, so that asking twice for
// a second order makes only one.
func keyAfter(key string) string {
	sum := sha256.Sum256([]byte(key))
	return base32.StdEncoding.EncodeToString(sum[:])[:len(key)]
}

// used removes a key whose order was made. It returns false if the key had been removed before.
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

// cookiesOf returns the cookies whose names begin with prefix, by the rest of their names, in the browser's order: the oldest
// first.
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
