package money_test

import (
	"testing"

	"example.com/orderflow/local/money"
)

func TestAnAmountHasTheDigitsOfItsCurrency(t *testing.T) {
	t.Parallel()
	for want, given := range map[string]struct {
		amount int64
		code   string
	}{
		"25.98 EUR": {2598, "EUR"}, "5000 XOF": {5000, "XOF"}, "5.000 IQD": {5000, "IQD"}, "0.5000 CLF": {5000, "CLF"},
		"0.05 EUR": {5, "EUR"}, "-0.05 EUR": {-5, "EUR"}, "-5 JPY": {-5, "JPY"}, "0.00 EUR": {0, "EUR"}, "1.00 DEM": {100, "DEM"},
	} {
		if got := money.Text(given.amount, given.code); got != want {
			t.Errorf("%d %s is %s, want %s", given.amount, given.code, got, want)
		}
	}
}
