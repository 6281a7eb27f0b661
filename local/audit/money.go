package audit

import (
	"fmt"
	"maps"
	"slices"
)

var moneyRules = []rule{
	{"no order is charged twice", func(b *indexed, see func(string, string)) {
		for _, id := range slices.Sorted(maps.Keys(b.entries)) {
			n := len(only(b.entries[id], "charge"))
			see(id, unless(n <= 1, "the provider has charged it %d times", n))
		}
	}},
	{"a delivered order is charged its price", func(b *indexed, see func(string, string)) {
		b.ended("delivered", func(o Order) {
			net := balance(b.entries[o.ID])
			see(o.ID, unless(net == o.Total, "it is delivered for %s, and its price is %s", net, o.Total))
		})
	}},
	{"a cancelled order costs nothing", func(b *indexed, see func(string, string)) {
		b.ended("cancelled", func(o Order) {
			net := balance(b.entries[o.ID])
			see(o.ID, unless(net.Amount == 0, "it is cancelled and costs %s", net))
		})
	}},
	{"the payment of an order at its end is settled", func(b *indexed, see func(string, string)) {
		for _, p := range b.Payments {
			if o := b.order[p.OrderID]; o != nil && b.Saga.final(o.Status) {
				see(o.ID, unless(p.DueAt == nil, "it is %s, and its payment is still %s", o.Status, p.Status))
			}
		}
	}},
	{"payments and the provider agree to the cent", func(b *indexed, see func(string, string)) {
		for _, p := range b.Payments {
			if p.DueAt == nil {
				see(p.OrderID, p.differs(b.entries[p.OrderID]))
			}
		}
	}},
	{"payments knows of whatever the provider did", func(b *indexed, see func(string, string)) {
		for _, id := range slices.Sorted(maps.Keys(b.entries)) {
			see(id, unless(b.payment[id] != nil, "the provider has %s for it, payments knows nothing", count(len(b.entries[id]), "entry", "entries")))
		}
	}},
}

// only is the entries of a kind.
func only(entries []Entry, kind string) (some []Entry) {
	for _, e := range entries {
		if e.Kind == kind {
			some = append(some, e)
		}
	}
	return some
}

// balance is what an order's customer has paid after all.
func balance(entries []Entry) (net Money) {
	for _, e := range entries {
		switch e.Kind {
		case "charge":
			net.Amount += e.Amount
			net.Currency = e.Currency
		case "refund":
			net.Amount -= e.Amount
		}
	}
	return net
}

// differs says how a payment that is settled differs from the provider's entries about it.
func (p Payment) differs(entries []Entry) string {
	wanted := map[string][]string{
		"taken":    {p.line("charge", p.ChargeID)},
		"refunded": {p.line("charge", p.ChargeID), p.line("refund", p.RefundID)},
		"declined": {"decline " + p.Code},
	}[p.Status]
	var found []string
	for _, e := range entries {
		switch {
		case e.Kind != "decline":
			found = append(found, fmt.Sprintf("%s of %s (%s)", e.Kind, e.money(), e.ID))
		case p.Status != "withdrawn": // there, it may have been declined before anybody knew
			found = append(found, "decline "+e.Code)
		}
	}
	return unless(slices.Equal(wanted, found), "payments has it %s and expects %q of the provider, whose ledger has %q", p.Status, wanted, found)
}

// line is the entry that a payment expects.
func (p Payment) line(kind, id string) string {
	return fmt.Sprintf("%s of %s (%s)", kind, p.Amount, id)
}
