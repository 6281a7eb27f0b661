package console

import (
	"testing"

	"example.com/orderflow/pkg/messages"
)

func TestAnAmountIsReadAsItIsWritten(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]messages.Money{
		"12.99": {Amount: 1299, Currency: "EUR"}, "12,9": {Amount: 1290, Currency: "EUR"}, "12": {Amount: 1200, Currency: "EUR"}, "0.05": {Amount: 5, Currency: "EUR"},
		"1299": {Amount: 1299, Currency: "JPY"}, "1.234": {Amount: 1234, Currency: "BHD"}, "999999999999": {Amount: 99999999999900, Currency: "EUR"},
	} {
		got, ok := readDecimal(text, want.Currency)
		if again, same := readDecimal(decimal(got), want.Currency); !ok || !same || got != want || again != got {
			t.Errorf("%q is %+v, want %+v", text, got, want)
		}
	}
	for _, text := range []string{"", ".5", "5.", "1.2.3", "1e3", "+1", "-1", "1 000", "9999999999999", "0x1"} {
		if got, ok := readDecimal(text, "EUR"); ok {
			t.Errorf("%q is %+v", text, got)
		}
	}
}
