package messages

import "github.com/bojanz/currency"

// Money is an exact amount in the minor unit of its currency: {2598, "EUR"} is 25.98 €, {2598, "JPY"} is 2598 ¥.
type Money struct {
	Amount   int64  `json:"amount"`
	Currency string `json:"currency"` // ISO 4217
}

// IsCurrency reports whether there is a currency of this code today: in the list that SIX keeps for ISO 4217, with a minor unit.
// Gold, codes for tests and what has been withdrawn are none.
func IsCurrency(code string) bool { return code != "" && currency.IsValid(code) }

// Decimals returns how many digits an amount has behind the point: 2, unless ISO 4217 says otherwise. CLDR does for some, such
// as the Iraqi dinar, because nobody has seen its coins for long; what is meant here is what banks exchange.
func Decimals(code string) int {
	digits, known := currency.GetDigits(code)
	if !known { // has been withdrawn since
		return 2
	}
	return int(digits)
}
