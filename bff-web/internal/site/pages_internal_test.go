package site

import (
	"testing"

	"example.com/orderflow/pkg/messages"
)

func TestMoneyIsWrittenAsPeopleDo(t *testing.T) {
	t.Parallel()
	for want, m := range map[string]messages.Money{
		"€12.99":          {Amount: 1299, Currency: "EUR"},
		"$0.00":           {Amount: 0, Currency: "USD"},
		"£0.07":           {Amount: 7, Currency: "GBP"},
		"€1,234,567.89":   {Amount: 123456789, Currency: "EUR"},
		"€999.00":         {Amount: 99900, Currency: "EUR"},
		"−€1,000.05":      {Amount: -100005, Currency: "EUR"},
		"¥1,500":          {Amount: 1500, Currency: "JPY"},
		"KWD\u00a01.500":  {Amount: 1500, Currency: "KWD"},
		"CHF\u00a01.00":   {Amount: 100, Currency: "CHF"},
		"XOF\u00a05,000":  {Amount: 5000, Currency: "XOF"},
		"IQD\u00a05.000":  {Amount: 5000, Currency: "IQD"},
		"CLF\u00a00.5000": {Amount: 5000, Currency: "CLF"},
		"ISK\u00a05":      {Amount: 5, Currency: "ISK"},
		"HUF\u00a050.00":  {Amount: 5000, Currency: "HUF"},
	} {
		if got := Money(m); got != want {
			t.Errorf("%+v is %q, not %q", m, got, want)
		}
	}
}
