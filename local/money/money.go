// Package money formats amounts for people.
package money

import (
	"strconv"
	"strings"

	"github.com/bojanz/currency"
)

// Text formats an amount in minor units, with as many decimals as ISO 4217 gives its currency: 50.000 IQD.
func Text(amount int64, code string) string {
	places := 2
	if digits, known := currency.GetDigits(code); known {
		places = int(digits)
	}
	text, minus := strings.CutPrefix(strconv.FormatInt(amount, 10), "-")
	text = strings.Repeat("0", max(0, places+1-len(text))) + text
	if at := len(text) - places; places > 0 {
		text = text[:at] + "." + text[at:]
	}
	if minus {
		text = "-" + text
	}
	return text + " " + code
}
