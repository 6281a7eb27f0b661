package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"example.com/orderflow/pkg/messages"
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
			"one that may wait queues for all that it wants",
			[]stock{{SKU: "A", Available: 5}, {SKU: "B", Available: 1, ReorderQuantity: 10}},
			backorder("o", "A", 2, "B", 3),
			backordered, "2 B",
			[]stock{{SKU: "A", Available: 5, Backordered: 2}, {SKU: "B", Available: 1, Backordered: 3, ReorderQuantity: 10}},
		},
		{
			"what is not on order for those who wait is kept for them",
			[]stock{{SKU: "A", Available: 5, Backordered: 10, OnOrder: 6}},
			reserve("o", "A", 2),
			rejected, "1 A",
			[]stock{{SKU: "A", Available: 5, Backordered: 10, OnOrder: 6}},
		},
		{
			"what they leave can be had",
			[]stock{{SKU: "A", Available: 5, Backordered: 10, OnOrder: 6}},
			reserve("o", "A", 1),
			reserved, "",
			[]stock{{SKU: "A", Available: 4, Reserved: 1, Backordered: 10, OnOrder: 6}},
		},
		{
			"while enough is on order for those who wait, others can have what is there",
			[]stock{{SKU: "A", Available: 5, Backordered: 10, OnOrder: 10}},
			reserve("o", "A", 5),
			reserved, "",
			[]stock{{SKU: "A", Reserved: 5, Backordered: 10, OnOrder: 10}},
		},
		{
			"what has come for those who wait is kept for them, whatever is on order",
			[]stock{{SKU: "A", Available: 5, Kept: 4, Backordered: 10, OnOrder: 100}},
			reserve("o", "A", 2),
			rejected, "1 A",
			[]stock{{SKU: "A", Available: 5, Kept: 4, Backordered: 10, OnOrder: 100}},
		},
		{
			"the release before may have taken what was kept",
			[]stock{{SKU: "A", Available: 5, Kept: 9, Backordered: 2, OnOrder: 100}},
			reserve("o", "A", 3),
			reserved, "",
			[]stock{{SKU: "A", Available: 2, Reserved: 3, Kept: 9, Backordered: 2, OnOrder: 100}},
		},
		{
			"more wanted than there is and is on order counts as none free",
			[]stock{{SKU: "A", Available: 5, Backordered: 9, ReorderQuantity: 1}},
			backorder("o", "A", 2),
			backordered, "2 A",
			[]stock{{SKU: "A", Available: 5, Backordered: 11, ReorderQuantity: 1}},
		},
		{
			"what is never reordered is not waited for",
			[]stock{{SKU: "A", Available: 5}, {SKU: "B", Available: 9}},
			backorder("o", "A", 10, "B", 1),
			rejected, "5 A",
			[]stock{{SKU: "A", Available: 5}, {SKU: "B", Available: 9}},
		},
		{
			"unless it is on order already, and nobody waits for that",
			[]stock{{SKU: "A", Available: 5, OnOrder: 7, Backordered: 2}},
			backorder("o", "A", 10),
			backordered, "5 A",
			[]stock{{SKU: "A", Available: 5, OnOrder: 7, Backordered: 12}},
		},
		{
			"but not when somebody does",
			[]stock{{SKU: "A", Available: 5, OnOrder: 7, Backordered: 3}},
			backorder("o", "A", 10),
			rejected, "5 A",
			[]stock{{SKU: "A", Available: 5, OnOrder: 7, Backordered: 3}},
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

func TestTheAnswerTellsTheStatusOfAReservation(t *testing.T) {
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
		}, stock{SKU: "A", Available: 7, Reserved: 1, Backordered: 4, Kept: 2}},
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

func TestAProductThatRunsLowIsReordered(t *testing.T) {
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

func TestAReservationThatWaitsForUnitsThatNeverComeIsRejected(t *testing.T) {
	t.Parallel()
	wait := func(id string, n int) reservation {
		return reservation{OrderID: id, Status: backordered, Lines: []messages.Line{{SKU: "A", Quantity: n}, {SKU: "B", Quantity: 1}}}
	}
	queue := []reservation{wait("first", 4), wait("second", 20), wait("third", 3), wait("fourth", 1)}
	s := shelfOf(stock{SKU: "A", Available: 2, OnOrder: 5, Backordered: 28}, stock{SKU: "B", Backordered: 4, ReorderQuantity: 1})
	var turned []string
	for _, r := range s.turnAway("A", queue) {
		if turned = append(turned, r.OrderID); r.Status != rejected || r.answer().Kind() != (messages.StockRejected{}).Kind() {
			t.Errorf("%s is %s", r.OrderID, r.Status)
		}
	}
	if got := strings.Join(turned, " "); got != "second fourth" || s["A"].Backordered != 7 || s["B"].Backordered != 2 {
		t.Errorf("turned away: %s, then %s", got, s)
	}
	s["A"].ReorderQuantity = 1
	if turned := s.turnAway("A", queue); len(turned) > 0 {
		t.Errorf("turned away although more will come: %v", turned)
	}
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
