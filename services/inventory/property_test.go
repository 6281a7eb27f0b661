package main

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"example.com/orderflow/pkg/messages"
	"example.com/orderflow/pkg/testkit"
)

// store is a shop with three products, its whole history, and its promises to waiting orders.
type store struct {
	*rapid.T
	saw    func(what string)
	shelf  shelf
	onHand map[string]int
	held   []reservation
	queue  []waiter // in the order of arrival
	supply []supply // orders on their way from the supplier
	placed int      // supplier orders so far
}

// waiter is a waiting order. The supplier orders that were on their way when it began to wait have numbers up to last.
type waiter struct {
	reservation
	last int
}

type supply struct {
	messages.Line
	number int
}

// settle does what work.restock does after each decision and once more at the end of a batch.
func (s *store) settle() {
	for _, l := range s.shelf.restock() {
		s.placed++
		s.supply = append(s.supply, supply{l, s.placed})
	}
}

func (s *store) order(n int) {
	var lines []messages.Line
	for _, sku := range []string{"A", "B", "C"} {
		if q := rapid.IntRange(0, 6).Draw(s.T, "of "+sku); q > 0 {
			lines = append(lines, messages.Line{SKU: sku, Quantity: q})
		}
	}
	if len(lines) == 0 {
		return
	}
	r := s.shelf.reserve(fmt.Sprint(n), lines, rapid.Bool().Draw(s.T, "may wait"))
	s.saw(string(r.Status))
	switch r.Status {
	case reserved:
		s.held = append(s.held, r)
	case backordered:
		s.settle()
		s.queue = append(s.queue, waiter{r, s.placed})
	}
}

func (s *store) fill() {
	var waiters []waiting
	ahead := map[string]int{}
	for _, r := range s.queue {
		w := waiting{OrderID: r.OrderID}
		for _, l := range r.Lines {
			w.Lines = append(w.Lines, queued{l, ahead[l.SKU]})
			ahead[l.SKU] += l.Quantity
		}
		waiters = append(waiters, w)
	}
	for _, r := range s.shelf.serve(waiters) {
		s.saw("served after waiting")
		s.held = append(s.held, r)
		s.queue = slices.DeleteFunc(s.queue, func(q waiter) bool { return q.OrderID == r.OrderID })
	}
}

// check compares the numbers with the history. No order waits for units that are on the shelf, and each has its units at the
// latest when everything has arrived that was on order when it began to wait.
func (s *store) check() {
	claimed := map[string]int{}
	for _, r := range s.queue {
		enough := true
		for _, l := range r.Lines {
			claimed[l.SKU] += l.Quantity
			here, promised := s.shelf[l.SKU].Available, 0
			for _, on := range s.supply {
				if on.SKU == l.SKU && on.number <= r.last {
					promised += on.Quantity
				}
			}
			enough = enough && claimed[l.SKU] <= here
			if claimed[l.SKU] > here+promised {
				s.Fatalf("order %s and those before it want %d of %s, there are %d, and of what was on order then %d are to come", r.OrderID, claimed[l.SKU], l.SKU, here, promised)
			}
		}
		if enough {
			s.Fatalf("order %s waits for what is there: %s", r.OrderID, s.shelf)
		}
	}
	onOrder := map[string]int{}
	for _, on := range s.supply {
		onOrder[on.SKU] += on.Quantity
	}
	for sku, one := range s.shelf {
		if one.Available < 0 || one.Reserved < 0 || one.Kept < 0 || one.Kept > one.Available || one.Kept > one.Backordered ||
			one.Backordered != claimed[sku] || one.OnOrder != onOrder[sku] || one.Available+one.Reserved != s.onHand[sku] {
			s.Fatalf("%s: %+v, on hand %d, claimed %d, on order %d", sku, *one, s.onHand[sku], claimed[sku], onOrder[sku])
		}
	}
}

// TestNoOrderIsOvertakenAndNoUnitIsLost runs random histories.
func TestNoOrderIsOvertakenAndNoUnitIsLost(t *testing.T) {
	t.Parallel()
	history := func(t *rapid.T, saw func(what string)) {
		s := &store{T: t, saw: saw, shelf: shelf{}, onHand: map[string]int{}}
		for _, sku := range []string{"A", "B", "C"} {
			s.onHand[sku] = rapid.IntRange(0, 8).Draw(t, "units of "+sku)
			s.shelf[sku] = &stock{SKU: sku, Available: s.onHand[sku], ReorderPoint: rapid.IntRange(0, 3).Draw(t, "point"), ReorderQuantity: rapid.IntRange(0, 4).Draw(t, "quantity")}
		}
		for n := range rapid.IntRange(1, 60).Draw(t, "events") {
			switch what := rapid.SampledFrom([]string{"order", "order", "order", "release", "give up", "deliver", "arrive", "arrive", "add", "reorder"}).Draw(t, "event"); {
			case what == "order":
				s.order(n)
			case what == "release" && len(s.held) > 0:
				saw("released")
				s.shelf.release(pick(t, &s.held))
			case what == "give up" && len(s.queue) > 0:
				saw("given up")
				s.shelf.release(pick(t, &s.queue).reservation)
			case what == "deliver" && len(s.held) > 0:
				saw("taken")
				r, _ := s.shelf.take(pick(t, &s.held))
				for _, l := range r.Lines {
					s.onHand[l.SKU] -= l.Quantity
				}
			case what == "arrive" && len(s.supply) > 0:
				l := pick(t, &s.supply)
				s.shelf[l.SKU].OnOrder -= l.Quantity
				s.shelf[l.SKU].shelve(l.Quantity)
				s.onHand[l.SKU] += l.Quantity
			case what == "add":
				sku, q := rapid.SampledFrom([]string{"A", "B", "C"}).Draw(t, "product"), rapid.IntRange(1, 6).Draw(t, "units")
				s.shelf[sku].shelve(q)
				s.onHand[sku] += q
			case what == "reorder": // an operator changes the reorder quantity, also to 0
				s.shelf[rapid.SampledFrom([]string{"A", "B", "C"}).Draw(t, "product")].ReorderQuantity = rapid.IntRange(0, 4).Draw(t, "quantity")
			}
			s.settle()
			if rapid.Bool().Draw(t, "more in the batch") {
				continue
			}
			s.fill() // once for the whole batch
			s.settle()
			s.check()
		}
	}
	testkit.Occur(t, func(saw func(string)) {
		rapid.Check(t, func(t *rapid.T) { history(t, saw) })
	}, "reserved", "backordered", "rejected", "served after waiting", "released", "given up", "taken")
}

func pick[T any](t *rapid.T, from *[]T) T {
	i := rapid.IntRange(0, len(*from)-1).Draw(t, "which")
	one := (*from)[i]
	*from = slices.Delete(*from, i, i+1)
	return one
}
