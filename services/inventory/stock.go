package main

import (
	"maps"
	"slices"

	"example.com/orderflow/pkg/messages"
)

// stock says where the units of one product are.
type stock struct {
	SKU             string
	Available       int // on hand and not reserved
	Reserved        int // on hand, held for orders that are not delivered yet
	Backordered     int // wanted by reservations that wait
	OnOrder         int // on their way from the supplier, or recorded to be ordered
	Kept            int // part of Available, kept for reservations that wait: see the method kept
	ReorderPoint    int
	ReorderQuantity int // 0: never reordered
}

// kept returns how many units on the shelf are kept for waiting orders. Units on order will go to waiting orders first, so at
// the beginning only the number is kept that will still be missing then. Units that arrive later are all kept, until there are
// enough for all that wait. So a new order can have units that would not help a waiting one, and no order waits longer than
// until everything has arrived that was on order when it began to wait, including what was ordered because of it:
// docs/adr/0033.
func (s stock) kept() int {
	return min(max(s.Kept, s.Backordered-s.OnOrder), s.Available, s.Backordered)
}

// free returns how many units a new order can have.
func (s stock) free() int { return s.Available - s.kept() }

// comes reports whether an order can wait for the given number of units.
func (s stock) comes(quantity int) bool {
	return s.ReorderQuantity > 0 || s.Available+s.OnOrder-s.Backordered >= quantity
}

// shelve adds units that arrive from the supplier or are given back.
func (s *stock) shelve(quantity int) {
	s.Available += quantity
	s.Kept += quantity
}

// supplyMost limits the units of one supplier order. If more are wanted, the next change of the stock orders the rest.
const supplyMost = 1_000_000

// shortage returns how many units to order, a multiple of the reorder quantity or 0. With them, the units here and on order,
// minus those that waiting orders want, are above the reorder point again.
func (s stock) shortage() int {
	position := s.Available + s.OnOrder - s.Backordered
	if s.ReorderQuantity == 0 || position > s.ReorderPoint {
		return 0
	}
	packs := (s.ReorderPoint-position)/s.ReorderQuantity + 1
	return min(packs, max(1, supplyMost/s.ReorderQuantity)) * s.ReorderQuantity
}

// status is the status of a reservation.
type status string

const (
	reserved    status = "reserved"    // held
	backordered status = "backordered" // waits in the queue of each of its products
	rejected    status = "rejected"    // too few units, and it may not wait
	released    status = "released"    // given back, or cancelled before it came
	taken       status = "taken"       // delivered, and removed from the stock
)

// reservation is an order's request for stock and its status.
type reservation struct {
	OrderID string
	Status  status
	Lines   []messages.Line // the units that it holds, waits for or has held
	Missing []messages.Line // the units that were missing when it came
}

// answer returns the event that tells orders the status of a reservation, the same each time.
func (r reservation) answer() messages.Message {
	switch r.Status {
	case reserved, taken:
		return messages.StockReserved{OrderID: r.OrderID}
	case backordered:
		return messages.StockBackordered{OrderID: r.OrderID, Missing: r.Missing}
	case rejected:
		return messages.StockRejected{OrderID: r.OrderID, Missing: r.Missing}
	default:
		return messages.StockReleased{OrderID: r.OrderID}
	}
}

// shelf has the products that a decision is about, by SKU. A SKU that is missing does not exist. The methods only change the
// shelf: the caller has locked the products and saves the shelf.
type shelf map[string]*stock

// of returns the part of the shelf with the products of the given lines, as far as they exist.
func (s shelf) of(lines []messages.Line) shelf {
	part := shelf{}
	for _, l := range lines {
		if one, known := s[l.SKU]; known {
			part[l.SKU] = one
		}
	}
	return part
}

// reserve reserves all lines of an order, or none. An order that may wait enters the queues of all its products, also of those
// that have enough units, so that it does not lose these while it waits for the others.
func (s shelf) reserve(orderID string, lines []messages.Line, mayWait bool) reservation {
	r := reservation{OrderID: orderID, Status: reserved, Lines: merged(lines), Missing: []messages.Line{}}
	for _, l := range r.Lines {
		switch have, known := s[l.SKU]; {
		case !known:
			r.Missing = append(r.Missing, l)
			mayWait = false
		case have.free() < l.Quantity:
			r.Missing = append(r.Missing, messages.Line{SKU: l.SKU, Quantity: l.Quantity - have.free()})
			mayWait = mayWait && have.comes(l.Quantity)
		}
	}
	switch {
	case len(r.Missing) == 0:
		for _, l := range r.Lines {
			s[l.SKU].Available -= l.Quantity
			s[l.SKU].Reserved += l.Quantity
		}
	case mayWait:
		r.Status = backordered
		for _, l := range r.Lines {
			s[l.SKU].Backordered += l.Quantity
		}
	default:
		r.Status, r.Lines = rejected, nil
	}
	return r
}

// merged adds up the lines of each product, and sorts them by SKU.
func merged(lines []messages.Line) []messages.Line {
	quantities := map[string]int{}
	for _, l := range lines {
		quantities[l.SKU] += l.Quantity
	}
	one := make([]messages.Line, 0, len(quantities))
	for _, sku := range slices.Sorted(maps.Keys(quantities)) {
		one = append(one, messages.Line{SKU: sku, Quantity: quantities[sku]})
	}
	return one
}

// release gives back the units that a reservation holds, or takes it out of the queues.
func (s shelf) release(r reservation) reservation {
	for _, l := range r.Lines {
		switch r.Status {
		case reserved:
			s[l.SKU].Reserved -= l.Quantity
			s[l.SKU].shelve(l.Quantity)
		case backordered:
			s[l.SKU].Backordered -= l.Quantity
		}
	}
	r.Status = released
	return r
}

// take removes delivered units. ok is false if there is nothing to remove.
func (s shelf) take(r reservation) (after reservation, ok bool) {
	if r.Status != reserved {
		return r, false
	}
	for _, l := range r.Lines {
		s[l.SKU].Reserved -= l.Quantity
	}
	r.Status = taken
	return r, true
}

// waiting is a backordered reservation in the queues of its products.
type waiting struct {
	OrderID string
	Lines   []queued
}

// queued is a place in the queue for a product.
type queued struct {
	messages.Line
	Ahead int `json:"ahead"` // units that those before it in the queue want
}

// serve reserves units for the waiting reservations of queue that can be filled completely, after the units that those before
// them in each queue want. A reservation that cannot be filled keeps its places and is not overtaken. A served one takes the
// same number of units from the stock as from the queue, so it does not matter to the next one whether it was served.
func (s shelf) serve(queue []waiting) (served []reservation) {
	for _, w := range queue {
		if slices.ContainsFunc(w.Lines, func(c queued) bool { return c.Ahead+c.Quantity > s[c.SKU].Available }) {
			continue
		}
		r := reservation{OrderID: w.OrderID, Status: reserved}
		for _, c := range w.Lines {
			r.Lines = append(r.Lines, c.Line)
		}
		served = append(served, r)
	}
	for _, r := range served {
		for _, l := range r.Lines {
			s[l.SKU].Backordered -= l.Quantity
			s[l.SKU].Available -= l.Quantity
			s[l.SKU].Reserved += l.Quantity
		}
	}
	return served
}

// contended returns the products that have units and waiting reservations.
func (s shelf) contended() (available []messages.Line) {
	for _, sku := range slices.Sorted(maps.Keys(s)) {
		if s[sku].Available > 0 && s[sku].Backordered > 0 {
			available = append(available, messages.Line{SKU: sku, Quantity: s[sku].Available})
		}
	}
	return available
}

// restock returns what to order from the supplier, and counts it as on order. It then updates Kept, which depends on that.
func (s shelf) restock() (wanted []messages.Line) {
	for _, sku := range slices.Sorted(maps.Keys(s)) {
		if n := s[sku].shortage(); n > 0 {
			s[sku].OnOrder += n
			wanted = append(wanted, messages.Line{SKU: sku, Quantity: n})
		}
		s[sku].Kept = s[sku].kept()
	}
	return wanted
}

// turnAway rejects the reservations that wait for more units of a product than will ever come, and takes them out of its queue.
// queue has the product's waiting reservations, in order. A reservation behind a rejected one may still be served.
func (s shelf) turnAway(sku string, queue []reservation) (turned []reservation) {
	ahead := 0
	for _, r := range queue {
		wanted := r.of(sku)
		if s[sku].ReorderQuantity > 0 || ahead+wanted <= s[sku].Available+s[sku].OnOrder {
			ahead += wanted
			continue
		}
		for _, l := range r.Lines {
			s[l.SKU].Backordered -= l.Quantity
		}
		r.Status = rejected
		turned = append(turned, r)
	}
	return turned
}

// of returns how many units of a product a reservation is about.
func (r reservation) of(sku string) (quantity int) {
	for _, l := range r.Lines {
		if l.SKU == sku {
			quantity += l.Quantity
		}
	}
	return quantity
}
