package main

import (
	"net/http"
	"regexp"
	"strconv"

	"example.com/orderflow/pkg/fault"
	"example.com/orderflow/pkg/messages"
)

var expectedForm = regexp.MustCompile(`^([0-9]{1,18}) ([A-Z]{3})$`)

// expectedTotal reads what an order costs as far as its customer knows, or nil. It is a condition of the request, as
// If-Match is one, and no part of the order: somebody who sends the order again may have seen another price since, and gets the
// same order all the same. And a replica of a release that does not know the header ignores it (ADR 0032).
func expectedTotal(r *http.Request) (*messages.Money, error) {
	values := r.Header.Values("Expected-Total")
	if len(values) == 0 {
		return nil, nil
	}
	parts := expectedForm.FindStringSubmatch(values[0])
	if len(values) > 1 || parts == nil {
		return nil, fault.New(fault.Malformed, "there must be one Expected-Total: minor units and a currency, such as 2598 EUR")
	}
	amount, err := strconv.ParseInt(parts[1], 10, 64)
	return &messages.Money{Amount: amount, Currency: parts[2]}, err
}

// costs refuses an order that costs anything else than expected, which is nil when nobody said. The key of the request has
// made nothing then, and stays free.
func (o order) costs(expected *messages.Money) error {
	if expected == nil || *expected == o.Total {
		return nil
	}
	return fault.New(fault.Conflict, "the order costs %d %s in minor units, not %d %s", o.Total.Amount, o.Total.Currency, expected.Amount, expected.Currency).
		Named("total-changed").With("total", o.Total)
}
