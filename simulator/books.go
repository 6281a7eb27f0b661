package main

import (
	"net/http"
	"slices"
)

// books is what a provider's report says about the orders since one: the merchant's references are ids that rise with time.
type books struct {
	Charges  int              `json:"charges"`
	Charged  map[string]int64 `json:"charged"`  // in minor units, by currency
	Refunded map[string]int64 `json:"refunded"` // likewise
	Double   []string         `json:"double"`   // references that were charged more than once, the first doublesMost
}

const (
	booksMost   = 100_000 // entries of the ledger that a report has at most, the last ones
	doublesMost = 20
)

// report sums up what was charged and refunded for the references that are not smaller than the parameter since.
func (p *provider) report(r *http.Request) answer {
	since := r.URL.Query().Get("since")
	sums := books{Charged: map[string]int64{}, Refunded: map[string]int64{}, Double: []string{}}
	times := map[string]int{}
	for _, e := range p.ledger[max(0, len(p.ledger)-booksMost):] {
		switch {
		case e.Reference < since:
		case e.Kind == "charge":
			sums.Charges++
			sums.Charged[e.Currency] += e.Amount
			if times[e.Reference]++; times[e.Reference] == 2 && len(sums.Double) < doublesMost {
				sums.Double = append(sums.Double, e.Reference)
			}
		case e.Kind == "refund":
			sums.Refunded[e.Currency] += e.Amount
		}
	}
	slices.Sort(sums.Double)
	return ok(sums)
}
