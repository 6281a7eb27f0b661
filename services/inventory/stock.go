package main

import (
	"maps"
	"slices"

	"example.com/orderflow/pkg/messages"
)

// stock is where the units of one product are.
type stock struct {
	SKU             string
	Available       int // on hand and not reserved
	Reserved        int // on hand, held for orders that are not delivered yet
	Backordered     int // wanted by reservations that wait
	OnOrder         int // on their way from the supplier, or soon
	Kept            int // of those available, for reservations that wait: see kept
	ReorderPoint    int
	ReorderQuantity int // 0: never reordered
}

// kept is how many of the units on the shelf are kept for those who wait. What is on order comes to them first, so only what
// is missing there is kept for them from the beginning; of what comes later everything is, until they have enough. So others
// can have what nobody would gain from, and nobody waits for longer than until all has come that was on order, for
// him as well, when he began to wait: docs/adr/0033.
func (s stock) kept() int {
	return min(max(s.Kept, s.Backordered-s.OnOrder), s.Available, s.Backordered)
}

// free is what a new order can have.
func (s stock) free() int { return s.Available - s.kept() }

// comes reports whether an order can wait for so many units.
func (s stock) comes(quantity int) bool {
	return s.ReorderQuantity > 0 || s.Available+s.OnOrder-s.Backordered >= quantity
}

// shelve adds units that have come, or come back.
func (s *stock) shelve(quantity int) {
	s.Available += quantity
	s.Kept += quantity
}

// supplyMost is how many units are ordered at once. If more are wanted, the rest is with the next change.
const supplyMost = 1_000_000

// shortage is how many units to order so that what is here and what is to come, less what is wanted already, is above the
// reorder point again: a multiple of the reorder quantity, or 0.
func (s stock) shortage() int {
	position := s.Available + s.OnOrder - s.Backordered
	if s.ReorderQuantity == 0 || position > s.ReorderPoint {
		return 0
	}
	packs := (s.ReorderPoint-position)/s.ReorderQuantity + 1
	return min(packs, max(1, supplyMost/s.ReorderQuantity)) * s.ReorderQuantity
}

// status is what has become of an order's wish for stock.
type status string

const (
	reserved    status = "reserved"    // held
	backordered status = "backordered" // in the queue of each of its products
	rejected    status = "rejected"    // too little, and it may not wait
	released    status = "released"    // given back, or never to be held
	taken       status = "taken"       // delivered, and off the books
)

// reservation is an order's wish for stock and what has become of it.
type reservation struct {
	OrderID string
	Status  status
	Lines   []messages.Line // what it holds, waits for or has had
	Missing []messages.Line // what there was too little of when it came
}

// answer is what orders hears of a reservation, however often it asks.
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

// shelf is the products that a decision is about, by SKU; one that is not here does not exist. Its methods decide and
// change it, and do nothing else: the caller has the products locked and writes the shelf back.
type shelf map[string]*stock

// of is the part of the shelf that some lines are about: those of their products that there are.
func (s shelf) of(lines []messages.Line) shelf {
	part := shelf{}
	for _, l := range lines {
		if one, known := s[l.SKU]; known {
			part[l.SKU] = one
		}
	}
	return part
}

// reserve decides what an order can have: all of it or nothing. One that may wait queues for all its products, also for those
// that there would be enough of, so that the one that is late does not cost it the others.
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

// merged makes one line of those for the same product, sorted by SKU.
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

// release gives back what a reservation holds, or takes it out of the queues.
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

// take strikes off what was delivered. ok is false when there is nothing to take.
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
	Ahead int `json:"ahead"` // what those who came before want of it
}

// serve fills the waiting reservations for which there is enough of everything, after what those before them in each
// queue want. One that cannot be filled yet keeps its places and is not overtaken. One that is served takes as much from the
// stock as from the queue, so it makes no difference to the next one whether it was served.
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

// contended lists the products of which there are units and that somebody waits for.
func (s shelf) contended() (available []messages.Line) {
	for _, sku := range slices.Sorted(maps.Keys(s)) {
		if s[sku].Available > 0 && s[sku].Backordered > 0 {
			available = append(available, messages.Line{SKU: sku, Quantity: s[sku].Available})
		}
	}
	return available
}

// restock lists what to order from the supplier, and counts it as ordered. With that it is known what has to be kept.
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

// turnAway takes those reservations out of the queues of a product that wait for more of it than will ever come. queue are those
// that wait for it, first come first. A reservation behind one that is turned away may still be served.
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

// of is how many units of a product a reservation is about.
func (r reservation) of(sku string) (quantity int) {
	for _, l := range r.Lines {
		if l.SKU == sku {
			quantity += l.Quantity
		}
	}
	return quantity
}
