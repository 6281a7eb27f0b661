package audit

import (
	"fmt"
	"maps"
	"slices"
	"strings"
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
			// Refunds that people made at the provider are not counted here: they are listed instead, see byHand.
			net := balance(b.entries[o.ID])
			net.Amount += byHand(b.entries[o.ID])
			see(o.ID, unless(net == o.Total, "it is delivered for %s, and its price is %s", net, o.Total))
		})
	}},
	{"a cancelled order costs nothing", func(b *indexed, see func(string, string)) {
		b.ended("cancelled", func(o Order) {
			net, p := balance(b.entries[o.ID]), b.payment[o.ID]
			settled := p != nil && p.SettledBy != ""
			see(o.ID, unless(net.Amount == 0 || settled, "it is cancelled and costs %s", net))
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

// only returns the entries of one kind.
func only(entries []Entry, kind string) (some []Entry) {
	for _, e := range entries {
		if e.Kind == kind {
			some = append(some, e)
		}
	}
	return some
}

// balance is the amount that an order's customer has paid, less refunds.
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

// differs describes how a settled payment differs from the provider's entries about it. payments is not responsible for
// refunds that people made at the provider, but it has less to refund because of them.
func (p Payment) differs(entries []Entry) string {
	if p.Status == "withdrawn" && p.SettledBy != "" {
		return "" // a person settled it with knowledge that the provider did not have
	}
	rest := p
	rest.Amount.Amount -= byHand(entries)
	wanted := map[string][]string{
		"taken":    {p.line("charge", p.ChargeID)},
		"refunded": {p.line("charge", p.ChargeID), rest.line("refund", p.RefundID)},
		"declined": {"decline " + p.Code},
	}[p.Status]
	if nothing := rest.Amount.Amount == 0 || p.SettledBy != ""; p.Status == "refunded" && p.RefundID == "" && nothing {
		wanted = wanted[:1]
	}
	var found []string
	for _, e := range entries {
		switch {
		case e.byHand():
		case e.Kind != "decline":
			found = append(found, fmt.Sprintf("%s of %s (%s)", e.Kind, e.money(), e.ID))
		case p.Status != "withdrawn": // it may have been declined before payments learned of the result
			found = append(found, "decline "+e.Code)
		}
	}
	return unless(slices.Equal(wanted, found), "payments has it %s and expects %q of the provider, whose ledger has %q", p.Status, wanted, found)
}

// byHand reports whether a person made this refund at the provider: the keys of payments contain the order's id.
func (e Entry) byHand() bool {
	ours, own := strings.CutPrefix(e.Key, "refund-"+e.Reference)
	return e.Kind == "refund" && !(own && (ours == "" || ours[0] == '-'))
}

// byHand is the sum of an order's refunds that people made at the provider.
func byHand(entries []Entry) (sum int64) {
	for _, e := range entries {
		if e.byHand() {
			sum += e.Amount
		}
	}
	return sum
}

// byHand lists what people did with money and parcels outside the system. It is no breach: the money is with the customer,
// or pays for a delivered parcel. But the system's books cannot explain it, so a person has to.
func (b *indexed) byHand() (actions []ManualAction) {
	for _, o := range b.Orders {
		add := func(what string, args ...any) {
			actions = append(actions, ManualAction{o.ID, fmt.Sprintf(what, args...)})
		}
		for _, e := range b.entries[o.ID] {
			if e.byHand() {
				add("%s were given back at the provider (%s, key %s) for an order that is %s", e.money(), e.ID, e.Key, o.Status)
			}
		}
		if p := b.payment[o.ID]; p != nil && p.SettledBy != "" {
			add("%s has settled the payment: %s; %s are with the provider", p.SettledBy, p.SettledWhy, balance(b.entries[o.ID]))
		}
		if s := b.shipment[o.ID]; s.settled() {
			add("%s has settled the shipment as %s: %s", s.SettledBy, s.Status, s.SettledWhy)
		}
	}
	return actions
}

// operatorLog lists what operators noted about orders, and what they had sent again.
func (b *indexed) operatorLog() (actions []ManualAction) {
	for _, e := range b.Log {
		actions = append(actions, ManualAction{e.OrderID, e.says()})
	}
	return actions
}

// line is the entry in the provider's ledger that a payment expects.
func (p Payment) line(kind, id string) string {
	return fmt.Sprintf("%s of %s (%s)", kind, p.Amount, id)
}
