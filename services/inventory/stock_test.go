package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"example.com/orderflow/pkg/messages"
	"pgregory.net/rapid"
)

func TestReservingIsAllOrNothing(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name    string
		shelf   []stock
		order   messages.ReserveStock
		status  status
		missing string
		after   []stock
	}{
		{
			"enough of everything is reserved",
			[]stock{{SKU: "A", Available: 5}, {SKU: "B", Available: 2, Reserved: 1}},
			reserve("o", "A", 2, "B", 2),
			reserved, "",
			[]stock{{SKU: "A", Available: 3, Reserved: 2}, {SKU: "B", Reserved: 3}},
		},
		{
			"too little of one leaves the other alone",
			[]stock{{SKU: "A", Available: 5}, {SKU: "B", Available: 1}},
			reserve("o", "A", 2, "B", 3),
			rejected, "2 B",
			[]stock{{SKU: "A", Available: 5}, {SKU: "B", Available: 1}},
		},
		{
			"one that may wait claims all that it wants",
			[]stock{{SKU: "A", Available: 5}, {SKU: "B", Available: 1}},
			backorder("o", "A", 2, "B", 3),
			backordered, "2 B",
			[]stock{{SKU: "A", Available: 5, Backordered: 2}, {SKU: "B", Available: 1, Backordered: 3}},
		},
		{
			"those who wait come first",
			[]stock{{SKU: "A", Available: 5, Backordered: 4}},
			reserve("o", "A", 2),
			rejected, "1 A",
			[]stock{{SKU: "A", Available: 5, Backordered: 4}},
		},
		{
			"what they leave can be had",
			[]stock{{SKU: "A", Available: 5, Backordered: 4}},
			reserve("o", "A", 1),
			reserved, "",
			[]stock{{SKU: "A", Available: 4, Reserved: 1, Backordered: 4}},
		},
		{
			"more wanted than there is counts as none free",
			[]stock{{SKU: "A", Available: 5, Backordered: 9}},
			backorder("o", "A", 2),
			backordered, "2 A",
			[]stock{{SKU: "A", Available: 5, Backordered: 11}},
		},
		{
			"an unknown product is not waited for",
			[]stock{{SKU: "A", Available: 1}},
			backorder("o", "A", 2, "X", 3),
			rejected, "1 A, 3 X",
			[]stock{{SKU: "A", Available: 1}},
		},
		{
			"lines for one product count together",
			[]stock{{SKU: "A", Available: 3}},
			reserve("o", "A", 2, "A", 2),
			rejected, "1 A",
			[]stock{{SKU: "A", Available: 3}},
		},
	} {
		s := shelfOf(c.shelf...)
		r := s.reserve("o", c.order.Lines, c.order.AllowBackorder)
		if r.Status != c.status || listed(r.Missing) != c.missing || s.String() != shelfOf(c.after...).String() {
			t.Errorf("%s: %s, missing %s, then %s\nwant %s, missing %s, then %s",
				c.name, r.Status, listed(r.Missing), s, c.status, c.missing, shelfOf(c.after...))
		}
	}
}

func TestTheAnswerTellsWhatHasBecomeOfAReservation(t *testing.T) {
	t.Parallel()
	for s, want := range map[status]messages.Message{
		reserved:    messages.StockReserved{},
		taken:       messages.StockReserved{},
		backordered: messages.StockBackordered{},
		rejected:    messages.StockRejected{},
		released:    messages.StockReleased{},
	} {
		if got := (reservation{OrderID: "o", Status: s}).answer(); got.Kind() != want.Kind() || got.Subject() != "o" {
			t.Errorf("%s: %#v", s, got)
		}
	}
}

func TestReleasingAndTaking(t *testing.T) {
	t.Parallel()
	two := []messages.Line{{SKU: "A", Quantity: 2}}
	for _, c := range []struct {
		name  string
		do    func(shelf) bool
		after stock
	}{
		{"what was reserved is available again", func(s shelf) bool {
			return s.release(reservation{Status: reserved, Lines: two}).Status == released
		}, stock{SKU: "A", Available: 7, Reserved: 1, Backordered: 4}},
		{"who has waited wants nothing any more", func(s shelf) bool {
			return s.release(reservation{Status: backordered, Lines: two}).Status == released
		}, stock{SKU: "A", Available: 5, Reserved: 3, Backordered: 2}},
		{"who was rejected has nothing to give back", func(s shelf) bool {
			return s.release(reservation{Status: rejected}).Status == released
		}, stock{SKU: "A", Available: 5, Reserved: 3, Backordered: 4}},
		{"what was delivered is gone", func(s shelf) bool {
			r, ok := s.take(reservation{Status: reserved, Lines: two})
			return ok && r.Status == taken
		}, stock{SKU: "A", Available: 5, Reserved: 1, Backordered: 4}},
		{"what is not reserved cannot be delivered", func(s shelf) bool {
			_, ok := s.take(reservation{Status: backordered, Lines: two})
			return !ok
		}, stock{SKU: "A", Available: 5, Reserved: 3, Backordered: 4}},
	} {
		s := shelfOf(stock{SKU: "A", Available: 5, Reserved: 3, Backordered: 4})
		if ok := c.do(s); !ok || s.String() != shelfOf(c.after).String() {
			t.Errorf("%s: %t, %s", c.name, ok, s)
		}
	}
}

func TestWhatRunsLowIsReordered(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		s    stock
		want int
	}{
		{"above the reorder point", stock{Available: 11, ReorderPoint: 10, ReorderQuantity: 5}, 0},
		{"on the reorder point", stock{Available: 10, ReorderPoint: 10, ReorderQuantity: 5}, 5},
		{"far below it", stock{Available: 0, ReorderPoint: 10, ReorderQuantity: 5}, 15},
		{"one multiple would end on the point", stock{Available: 5, ReorderPoint: 10, ReorderQuantity: 5}, 10},
		{"what is wanted already counts", stock{Available: 20, Backordered: 15, ReorderPoint: 10, ReorderQuantity: 5}, 10},
		{"more wanted than there is", stock{Available: 1, Backordered: 30, ReorderPoint: 0, ReorderQuantity: 10}, 30},
		{"what is on its way counts", stock{Available: 0, OnOrder: 15, ReorderPoint: 10, ReorderQuantity: 5}, 0},
		{"reserved units are spoken for", stock{Available: 10, Reserved: 50, ReorderPoint: 10, ReorderQuantity: 5}, 5},
		{"never reordered", stock{Available: 0, Backordered: 9, ReorderPoint: 10}, 0},
		{"a reorder point of nothing", stock{Available: 0, ReorderQuantity: 8}, 8},
		{"more than a supplier takes at once", stock{Backordered: 5_000_000, ReorderQuantity: 300}, 999_900},
	} {
		if got := c.s.shortage(); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
		s := shelfOf(c.s)
		s.restock()
		if s[""].OnOrder != c.s.OnOrder+c.want {
			t.Errorf("%s: %d on order", c.name, s[""].OnOrder)
		}
	}
}

// TestNobodyIsOvertakenAndNothingIsLost runs any history of a shop with three products against a list of who waits.
func TestNobodyIsOvertakenAndNothingIsLost(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		skus := []string{"A", "B", "C"}
		s := shelf{}
		onHand := map[string]int{}
		for _, sku := range skus {
			onHand[sku] = rapid.IntRange(0, 8).Draw(t, "units of "+sku)
			s[sku] = &stock{SKU: sku, Available: onHand[sku]}
		}
		var held, queue []reservation // queue: first come first
		fill := func() {
			var waiters []waiting
			ahead := map[string]int{}
			for _, r := range queue {
				w := waiting{OrderID: r.OrderID}
				for _, l := range r.Lines {
					w.Lines = append(w.Lines, claim{l, ahead[l.SKU]})
					ahead[l.SKU] += l.Quantity
				}
				waiters = append(waiters, w)
			}
			for _, r := range s.serve(waiters) {
				held = append(held, r)
				queue = slices.DeleteFunc(queue, func(q reservation) bool { return q.OrderID == r.OrderID })
			}
		}
		pick := func(from *[]reservation) reservation {
			i := rapid.IntRange(0, len(*from)-1).Draw(t, "which")
			r := (*from)[i]
			*from = slices.Delete(*from, i, i+1)
			return r
		}
		for n := range rapid.IntRange(1, 40).Draw(t, "events") {
			switch what := rapid.SampledFrom([]string{"order", "order", "order", "release", "give up", "deliver", "arrive"}).Draw(t, "event"); {
			case what == "order":
				var lines []messages.Line
				for _, sku := range skus {
					if q := rapid.IntRange(0, 4).Draw(t, "of "+sku); q > 0 {
						lines = append(lines, messages.Line{SKU: sku, Quantity: q})
					}
				}
				if len(lines) == 0 {
					continue
				}
				switch r := s.reserve(fmt.Sprint(n), lines, rapid.Bool().Draw(t, "may wait")); r.Status {
				case reserved:
					held = append(held, r)
					for _, l := range lines {
						for _, q := range queue {
							if i := slices.IndexFunc(q.Lines, func(w messages.Line) bool { return w.SKU == l.SKU }); i >= 0 && s[l.SKU].Available < q.Lines[i].Quantity {
								t.Fatalf("order %d was given what order %s waits for", n, q.OrderID)
							}
						}
					}
				case backordered:
					queue = append(queue, r)
				}
			case what == "release" && len(held) > 0:
				s.release(pick(&held))
				fill()
			case what == "give up" && len(queue) > 0:
				s.release(pick(&queue))
				fill()
			case what == "deliver" && len(held) > 0:
				r, _ := s.take(pick(&held))
				for _, l := range r.Lines {
					onHand[l.SKU] -= l.Quantity
				}
			case what == "arrive":
				sku, q := rapid.SampledFrom(skus).Draw(t, "product"), rapid.IntRange(1, 6).Draw(t, "units")
				s[sku].Available += q
				onHand[sku] += q
				fill()
			}
			claimed := map[string]int{}
			for _, r := range queue {
				enough := true
				for _, l := range r.Lines {
					claimed[l.SKU] += l.Quantity
					enough = enough && claimed[l.SKU] <= s[l.SKU].Available
				}
				if enough {
					t.Fatalf("order %s waits for what is there: %s", r.OrderID, s)
				}
			}
			for sku, one := range s {
				if one.Available < 0 || one.Reserved < 0 || one.Backordered != claimed[sku] || one.Available+one.Reserved != onHand[sku] {
					t.Fatalf("%s: %+v, on hand %d, claimed %d", sku, *one, onHand[sku], claimed[sku])
				}
			}
		}
	})
}

func shelfOf(stocks ...stock) shelf {
	s := shelf{}
	for _, one := range stocks {
		s[one.SKU] = &one
	}
	return s
}

func (s shelf) String() string {
	var all []string
	for _, one := range s {
		all = append(all, fmt.Sprintf("%+v", *one))
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

func listed(lines []messages.Line) string {
	var all []string
	for _, l := range lines {
		all = append(all, fmt.Sprintf("%d %s", l.Quantity, l.SKU))
	}
	return strings.Join(all, ", ")
}
