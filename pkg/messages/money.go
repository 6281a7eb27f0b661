package messages

import "github.com/bojanz/currency"

// Money is an exact amount in the minor unit of its currency: {2598, "EUR"} is 25.98 €, {2598, "JPY"} is 2598 ¥.
type Money struct {
	Amount   int64  `json:"amount"`
	Currency string `json:"currency"` // ISO 4217
}

// IsCurrency reports whether a currency has this code today: in the list that SIX keeps for ISO 4217, with a minor unit.
// Gold, codes for tests and withdrawn currencies do not count.
func IsCurrency(code string) bool { return code != "" && currency.IsValid(code) }

// Decimals returns how many digits an amount has after the decimal point, as ISO 4217 says; 2 for a code that it does not
// have. CLDR has other numbers for some currencies, such as the Iraqi dinar, whose coins are out of use; here it is what
// banks exchange.
func Decimals(code string) int {
	digits, known := currency.GetDigits(code)
	if !known { // the currency was withdrawn
		return 2
	}
	return int(digits)
}
