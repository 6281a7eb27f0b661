package messages_test

import (
	"testing"

	. "example.com/orderflow/pkg/messages"
	"golang.org/x/text/language"
)

// Codes that CLDR has as countries and that ISO 3166-1 has not assigned: reserved, withdrawn or for private use.
var noCountries = map[string]bool{
	"AC": true, "CP": true, "CQ": true, "DG": true, "EA": true, "EZ": true, "IC": true, "TA": true, "UN": true, "XK": true,
	"AN": true, "CS": true, "FQ": true, "NT": true, "PC": true, "SU": true, "YU": true,
}

// Our list is compared with one from another source.
func TestCountriesAreThoseOfISO3166(t *testing.T) {
	t.Parallel()
	n := 0
	for a := 'A'; a <= 'Z'; a++ {
		for b := 'A'; b <= 'Z'; b++ {
			code := string([]rune{a, b})
			region, err := language.ParseRegion(code)
			known := err == nil && region.IsCountry() && region.String() == code && region.Canonicalize() == region && !noCountries[code]
			if IsCountry(code) != known {
				t.Errorf("%s: %t, CLDR says %t", code, IsCountry(code), known)
			}
			if IsCountry(code) {
				n++
			}
		}
	}
	if n != 249 {
		t.Errorf("%d countries, ISO 3166-1 has assigned 249 codes", n)
	}
	for _, code := range []string{"", "D", "DEU", "de", " DE", "DE ", "E ", "ZZ", "XX", "AA", "XK", "EU", "UK", "AN", "SU", "YU", "CS", "TP", "FX", "ＤＥ", "AD AE"} {
		if IsCountry(code) {
			t.Errorf("%q is a country", code)
		}
	}
}

func TestCurrenciesAreThoseOfISO4217(t *testing.T) {
	t.Parallel()
	for code, digits := range map[string]int{
		"BIF": 0, "CLP": 0, "DJF": 0, "GNF": 0, "ISK": 0, "JPY": 0, "KMF": 0, "KRW": 0, "PYG": 0, "RWF": 0, "UGX": 0, "UYI": 0, "VND": 0, "VUV": 0,
		"XAF": 0, "XOF": 0, "XPF": 0, "BHD": 3, "IQD": 3, "JOD": 3, "KWD": 3, "LYD": 3, "OMR": 3, "TND": 3, "CLF": 4, "UYW": 4,
		"EUR": 2, "USD": 2, "HUF": 2, "MGA": 2, "MRU": 2, "IDR": 2, "IRR": 2, "COP": 2, "AFN": 2, "SLE": 2, "XCG": 2,
	} {
		if !IsCurrency(code) || Decimals(code) != digits {
			t.Errorf("%s: %t, with %d decimals, want %d", code, IsCurrency(code), Decimals(code), digits)
		}
	}
	for _, code := range []string{"", "EU", "eur", "Eur", " EUR", "EURO", "ZZZ", "XXX", "XTS", "XAU", "XDR", "DEM", "HRK", "ZWL", "BTC", "ＥＵＲ"} {
		if IsCurrency(code) {
			t.Errorf("%q is a currency", code)
		}
	}
}
