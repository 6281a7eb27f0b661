package books

import (
	"errors"
	"strings"
	"testing"

	"example.com/orderflow/pkg/tally"
)

// tallied is a tally in euros, of pairs of a status and a sum in units of 10.
func tallied(pairs ...any) (s sums) {
	for i := 0; i < len(pairs); i += 2 {
		n := int64(pairs[i+1].(int))
		s.Rows = append(s.Rows, tally.Row{Status: pairs[i].(string), Currency: "EUR", Count: n, Amount: 10 * n})
	}
	return s
}

func TestTheBooksAgreeWhileOrdersMoveAndNotOtherwise(t *testing.T) {
	t.Parallel()
	// Ten orders: six are delivered, one is cancelled, three are under way, of which two are paid.
	good := func() looks {
		return looks{
			before: tallied("delivered", 6, "cancelled", 1, "paid", 2, "placed", 1), after: tallied("delivered", 6, "cancelled", 1, "paid", 2, "placed", 1),
			paidBefore: tallied("taken", 8, "declined", 1), paidAfter: tallied("taken", 8, "declined", 1),
			provider: report{Charged: map[string]int64{"EUR": 80}, Refunded: map[string]int64{}},
			stock:    tallied("taken", 6, "reserved", 3, "released", 1), parcels: tallied("delivered", 6, "dispatched", 1),
		}
	}
	for _, test := range []struct {
		name   string
		change func(*looks)
		broken string
	}{
		{"nothing moves", func(*looks) {}, ""},
		{"orders are delivered meanwhile", func(l *looks) {
			l.after, l.parcels, l.stock = tallied("delivered", 8, "cancelled", 1, "placed", 1), tallied("delivered", 7), tallied("taken", 7, "reserved", 2)
		}, ""},
		{"an order is refunded and cancelled meanwhile", func(l *looks) {
			l.after, l.paidAfter = tallied("delivered", 6, "cancelled", 2, "paid", 1, "placed", 1), tallied("taken", 7, "refunded", 1, "declined", 1)
			l.provider.Refunded["EUR"] = 10
		}, ""},
		{"a charge is about to be recorded", func(l *looks) {
			l.provider.Charged["EUR"] = 90
			l.paidBefore, l.paidAfter = tallied("taken", 8, "requested", 1), tallied("taken", 8, "requested", 1)
		}, ""},
		{"a person has settled a refund", func(l *looks) {
			l.before = tallied("delivered", 6, "cancelled", 4)
			l.after, l.paidBefore = l.before, tallied("taken", 6, "settled_by_hand", 2)
			l.paidAfter, l.stock = l.paidBefore, tallied("taken", 6)
		}, ""},
		{"a card is charged that nobody has asked for", func(l *looks) { l.provider.Charged["EUR"] = 120 }, "Money Charges"},
		{"a delivered order is not paid", func(l *looks) {
			l.provider.Charged["EUR"] = 50
		}, "Money Charges"},
		{"a cancelled order is not refunded", func(l *looks) {
			l.before = tallied("delivered", 6, "cancelled", 4)
			l.after, l.stock = l.before, tallied("taken", 6)
		}, "Money"},
		{"payments has forgotten a charge", func(l *looks) {
			l.paidBefore = tallied("taken", 7, "declined", 1)
			l.paidAfter = l.paidBefore
		}, "Charges"},
		{"a cancelled order keeps its stock", func(l *looks) { l.stock = tallied("taken", 6, "reserved", 4) }, "Stock"},
		{"stock is taken for an order that is not delivered", func(l *looks) { l.stock = tallied("taken", 7, "reserved", 2) }, "Stock taken"},
		{"an order is delivered without a parcel", func(l *looks) { l.parcels = tallied("delivered", 5) }, "Parcels"},
	} {
		l := good()
		test.change(&l)
		var broken []string
		for _, r := range l.compare() {
			if r.Broken() {
				broken = append(broken, r.Name)
			}
		}
		if got := strings.Join(broken, " "); got != test.broken {
			t.Errorf("%s: broken is %q, want %q", test.name, got, test.broken)
		}
	}
	l := good()
	l.provider.err = errors.New("no connection")
	for _, r := range l.compare() {
		if unknown := r.Name == "Money" || r.Name == "Charges"; (r.Unread != "") != unknown {
			t.Errorf("without the provider, %s: %q", r.Name, r.Unread)
		}
	}
}
