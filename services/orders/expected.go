package main

import (
	"net/http"
	"regexp"
	"strconv"

	"example.com/orderflow/pkg/fault"
	"example.com/orderflow/pkg/messages"
)

var expectedForm = regexp.MustCompile(`^([0-9]{1,18}) ([A-Z]{3})$`)

// expectedTotal reads the total that the customer expects from a header of the request; nil: the header is absent. It is a
// condition of the request, like If-Match, and not part of the order: a customer who sends the same order again may have seen
// another price since then, and still gets the same order. A replica of a release that does not know the header ignores it (ADR
// 0032).
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

// costs returns an error if the order's total is not the expected one; nil accepts any total. The idempotency key then stays
// unused, since no order was made.
func (o order) costs(expected *messages.Money) error {
	if expected == nil || *expected == o.Total {
		return nil
	}
	return fault.New(fault.Conflict, "the order costs %d %s in minor units, not %d %s", o.Total.Amount, o.Total.Currency, expected.Amount, expected.Currency).
		Named("total-changed").With("total", o.Total)
}
