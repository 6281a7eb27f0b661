package audit

import (
	"fmt"
	"slices"
)

var stockRules = []rule{
	{"a delivered order has taken its units from the stock, once", func(b *indexed, see func(string, string)) {
		b.ended("delivered", func(o Order) {
			var taken []Line
			for _, m := range b.moved[o.ID] {
				taken = append(taken, Line{m.SKU, -m.Quantity})
			}
			status := b.reservation[o.ID].is()
			right := status == "taken" && units(taken) == units(o.Lines)
			see(o.ID, unless(right, "%s were delivered, its reservation is %s, and %q were taken", units(o.Lines), status, units(taken)))
		})
	}},
	{"a cancelled order holds no stock", func(b *indexed, see func(string, string)) {
		b.ended("cancelled", func(o Order) {
			r := b.reservation[o.ID]
			see(o.ID, unless(r == nil || r.Status == "rejected" || r.Status == "released", "it is cancelled and its reservation is %s", r.is()))
		})
	}},
	{"units leave the stock with a delivered order only", func(b *indexed, see func(string, string)) {
		for _, m := range b.Movements {
			if m.What != "taken" {
				continue
			}
			o := b.order[m.Reference]
			see(m.Reference, unless(o != nil && o.Status == "delivered", "%d x %s were taken for it, and it is not delivered", -m.Quantity, m.SKU))
		}
	}},
	{"what has arrived was put on the shelf, once", func(b *indexed, see func(string, string)) {
		for _, s := range b.Supplies {
			var shelved, wanted []Line
			for _, m := range b.moved[s.ID] {
				shelved = append(shelved, Line{m.SKU, m.Quantity})
			}
			if s.Status == "arrived" {
				wanted = []Line{{s.SKU, s.Quantity}}
			}
			see(s.SKU, unless(slices.Equal(shelved, wanted), "supplier order %s of %d is %s, and %q were put on the shelf", s.ID, s.Quantity, s.Status, units(shelved)))
		}
		for _, m := range b.Movements {
			if m.What == "replenished" && m.Operator == "" {
				see(m.SKU, unless(b.supply[m.Reference] != nil, "%d were put on the shelf for %s, which is no supplier order", m.Quantity, m.Reference))
			}
		}
	}},
	{"inventory and the supplier agree", func(b *indexed, see func(string, string)) {
		for _, s := range b.Supplies {
			d := b.delivery[s.ID]
			if d == nil {
				see(s.SKU, unless(s.Status == "requested", "supplier order %s is %s, and the supplier has no such order", s.ID, s.Status))
				continue
			}
			same := d.SKU == s.SKU && d.Quantity == s.Quantity && (s.Status != "arrived" || d.Status == "delivered")
			see(s.SKU, unless(same, "supplier order %s of %d is %s, the supplier has %d x %s as %s", s.ID, s.Quantity, s.Status, d.Quantity, d.SKU, d.Status))
		}
		for _, d := range b.Deliveries {
			see(d.SKU, unless(b.supply[d.Key] != nil, "the supplier has an order %s for %d, inventory knows nothing of it", d.Key, d.Quantity))
		}
	}},
}

var productRules = []rule{
	{"the catalogue that orders sells from is inventory's", func(b *indexed, see func(string, string)) {
		for _, p := range b.Products {
			c := b.copied[p.SKU]
			if c == nil {
				see(p.SKU, "orders has never heard of it")
				continue
			}
			same := c.Version == p.Version && c.Name == p.Name && c.Price == p.Price && c.Retired == p.Retired
			see(p.SKU, unless(same, "orders has %s, inventory has %s", c.offer(), p.offer()))
		}
	}},
	{"what came less what was delivered is on the shelf", func(b *indexed, see func(string, string)) {
		for _, p := range b.Products {
			is, should := p.Available+p.Reserved, b.sums.shelf(p.SKU).onHand
			see(p.SKU, unless(is == should, "%d available and %d reserved are %d, and should be %d: initial and replenished less delivered", p.Available, p.Reserved, is, should))
		}
	}},
	{"no number of units is below zero", func(b *indexed, see func(string, string)) {
		for _, p := range b.Products {
			least := min(p.Available, p.Reserved, p.Backordered, p.OnOrder, p.Kept)
			see(p.SKU, unless(least >= 0, "%d available, %d reserved, %d backordered, %d on order, %d kept", p.Available, p.Reserved, p.Backordered, p.OnOrder, p.Kept))
		}
	}},
	{"what is kept for those who wait is there, and waited for", func(b *indexed, see func(string, string)) {
		for _, p := range b.Products {
			most := min(p.Available, p.Backordered)
			see(p.SKU, unless(p.Kept <= most, "%d are kept, %d are available and %d backordered", p.Kept, p.Available, p.Backordered))
		}
	}},
	{"what is reserved is what orders hold", func(b *indexed, see func(string, string)) {
		for _, p := range b.Products {
			held := b.sums.shelf(p.SKU).held
			see(p.SKU, unless(p.Reserved == held, "%d are reserved, and its reservations hold %d", p.Reserved, held))
		}
	}},
	{"what is backordered is what orders wait for", func(b *indexed, see func(string, string)) {
		for _, p := range b.Products {
			awaited := b.sums.shelf(p.SKU).awaited
			see(p.SKU, unless(p.Backordered == awaited, "%d are backordered, and its reservations wait for %d", p.Backordered, awaited))
		}
	}},
	{"what is on order is what the supplier was asked for", func(b *indexed, see func(string, string)) {
		for _, p := range b.Products {
			coming := b.sums.shelf(p.SKU).coming
			see(p.SKU, unless(p.OnOrder == coming, "%d are on order, and supplier orders that have not arrived are for %d", p.OnOrder, coming))
		}
	}},
}

// offer says in words what customers can buy.
func (p Product) offer() string {
	text := fmt.Sprintf("version %d, %q for %s", p.Version, p.Name, p.Price)
	if p.Retired {
		text += ", retired"
	}
	return text
}

// is returns the status of a reservation, or "missing" when there is none.
func (r *Reservation) is() string {
	if r == nil {
		return "missing"
	}
	return r.Status
}
