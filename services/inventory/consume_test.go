package main

import (
	"fmt"
	"slices"
	"testing"

	"example.com/orderflow/pkg/bus"
	"example.com/orderflow/pkg/messages"
	"example.com/orderflow/pkg/postgres"
)

func TestAnOrdersStockFromReservationToDelivery(t *testing.T) {
	t.Parallel()
	f := newFixture(t, goods("A", 5), goods("B", 2))
	o := newOrder()
	f.receive(reserve(o, "A", 2, "B", 2))
	f.want("A", 3, 2, 0, 0)
	f.want("B", 0, 2, 0, 0)
	f.receive(completed(o))
	f.want("A", 3, 0, 0, 0)
	f.want("B", 0, 0, 0, 0)
	if f.status(o) != taken || f.sent(o) != "stock_reserved" {
		t.Errorf("%s, sent %s", f.status(o), f.sent(o))
	}
}

func TestEachMessageTwiceUnderItsOwnIDAndUnderANewOne(t *testing.T) {
	t.Parallel()
	missing := `[{"sku":"A","quantity":2}]`
	for _, c := range []struct {
		name string
		hear []messages.Message
		sent string // the events, which are repeated for the new id only
		want status
	}{
		{"reserve", []messages.Message{reserve("", "A", 3)}, "stock_reserved stock_reserved", reserved},
		{"reserve too much", []messages.Message{reserve("", "A", 7)}, "stock_rejected" + missing + " stock_rejected" + missing, rejected},
		{"backorder", []messages.Message{backorder("", "A", 7)}, "stock_backordered" + missing + " stock_backordered" + missing, backordered},
		{"an unknown product", []messages.Message{backorder("", "X", 1)}, `stock_rejected[{"sku":"X","quantity":1}] stock_rejected[{"sku":"X","quantity":1}]`, rejected},
		{"release before reserve", []messages.Message{messages.ReleaseStock{}, reserve("", "A", 3)}, "stock_released stock_released stock_released stock_released", released},
		{"reserve, release", []messages.Message{reserve("", "A", 3), messages.ReleaseStock{}}, "stock_reserved stock_reserved stock_released stock_released", released},
		{"backorder, release", []messages.Message{backorder("", "A", 7), messages.ReleaseStock{}}, "stock_backordered" + missing + " stock_backordered" + missing + " stock_released stock_released", released},
		{"reject, release", []messages.Message{reserve("", "A", 7), messages.ReleaseStock{}}, "stock_rejected" + missing + " stock_rejected" + missing + " stock_released stock_released", released},
		{"reserve, deliver, reserve", []messages.Message{reserve("", "A", 3), messages.OrderCompleted{}, reserve("", "A", 3)}, "stock_reserved stock_reserved stock_reserved stock_reserved", taken},
		{"deliver what is unknown", []messages.Message{messages.OrderCompleted{}}, "", ""},
		{"deliver what waits", []messages.Message{backorder("", "A", 7), messages.OrderCompleted{}}, "stock_backordered" + missing + " stock_backordered" + missing, backordered},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t, goods("A", 5))
			f.coming("A", 2)
			o := newOrder()
			for _, m := range c.hear {
				m = about(o, m)
				first, again := letter(m), letter(m)
				for _, batch := range [][]bus.Delivery{{first, again, first}, {first}, {again, first}} {
					for _, err := range f.inbox.Handle(t.Context(), batch) {
						if err != nil {
							t.Fatal(err)
						}
					}
				}
			}
			if got := f.sent(o); got != c.sent || f.status(o) != c.want {
				t.Errorf("%s, sent %s\nwant %s, %s", f.status(o), got, c.want, c.sent)
			}
		})
	}
}

// about returns the message for the given order.
func about(order string, m messages.Message) messages.Message {
	switch m := m.(type) {
	case messages.ReserveStock:
		m.OrderID = order
		return m
	case messages.ReleaseStock:
		m.OrderID = order
		return m
	default:
		return completed(order)
	}
}

func completed(order string) messages.OrderCompleted {
	return messages.OrderCompleted{OrderChange: messages.OrderChange{OrderID: order}}
}

func TestReserveAndReleaseInAnyOrderEndTheSame(t *testing.T) {
	t.Parallel()
	for _, wish := range []messages.ReserveStock{reserve("", "A", 3), reserve("", "A", 9), backorder("", "A", 9), backorder("", "X", 1)} {
		f := newFixture(t, goods("A", 5))
		f.coming("A", 4)
		do, undo := newOrder(), newOrder()
		release := messages.ReleaseStock{}
		f.receive(about(do, wish), about(do, release))
		f.receive(about(undo, release), about(undo, wish))
		if f.status(do) != released || f.status(undo) != released {
			t.Errorf("%v: %s and %s", wish, f.status(do), f.status(undo))
		}
		f.want("A", 5, 0, 0, 4)
	}
}

func TestDeliveredUnitsAreNotReleased(t *testing.T) {
	t.Parallel()
	f := newFixture(t, goods("A", 5))
	o := newOrder()
	f.receive(reserve(o, "A", 1), completed(o))
	other := newOrder()
	errs := f.inbox.Handle(t.Context(), []bus.Delivery{letter(messages.ReleaseStock{OrderID: o}), letter(reserve(other, "A", 1))})
	if !bus.Rejected(errs[0]) || errs[1] != nil {
		t.Errorf("%v: the release must be dead-lettered, and harm nobody", errs)
	}
	if f.status(o) != taken || f.status(other) != reserved {
		t.Errorf("%s, %s", f.status(o), f.status(other))
	}
}

func TestAnImpossibleMessageIsDeadLettered(t *testing.T) {
	t.Parallel()
	f := newFixture(t, goods("A", 5))
	good := newOrder()
	errs := f.inbox.Handle(t.Context(), []bus.Delivery{
		letter(reserve("no-uuid", "A", 1)),
		letter(messages.ReleaseStock{OrderID: "no-uuid"}),
		letter(completed("no-uuid")),
		letter(reserve(newOrder(), "A\x00", 1)),
		letter(backorder(newOrder(), "A", 1<<62, "A", 1<<62)), // the sum overflows
		letter(reserve(good, "A", 1)),
	})
	for i, err := range errs[:5] {
		if !bus.Rejected(err) {
			t.Errorf("message %d: %v, want a rejection", i, err)
		}
	}
	if errs[5] != nil || f.status(good) != reserved {
		t.Errorf("the good one: %v, %s", errs[5], f.status(good))
	}
	f.want("A", 4, 1, 0, 0)
}

func TestFreedStockServesTheQueueInOrder(t *testing.T) {
	t.Parallel()
	f := newFixture(t, goods("A", 4), goods("B", 1), goods("C", 9))
	f.coming("A", 6)
	f.coming("B", 1)
	holds, first, second, third, late := newOrder(), newOrder(), newOrder(), newOrder(), newOrder()
	f.receive(
		reserve(holds, "A", 4),
		backorder(first, "A", 3, "B", 2), // it lacks B, so the units of A are of no use to it
		backorder(second, "A", 2, "C", 1),
		backorder(third, "A", 1),
		reserve(late, "A", 1),
	)
	f.receive(messages.ReleaseStock{OrderID: holds})
	// The first order keeps its place for 3 of the 4 units, though it still waits for B. The second needs 2 and cannot have
	// them, and the third must not overtake it.
	for o, want := range map[string]status{first: backordered, second: backordered, third: backordered, late: rejected} {
		if got := f.status(o); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	f.want("A", 4, 0, 6, 6)
	f.want("C", 9, 0, 1, 0)
	f.receive(messages.ReleaseStock{OrderID: first}) // a waiting order gives up, which frees its place in the queue for A
	if f.status(second) != reserved || f.status(third) != reserved || f.sent(second) != `stock_backordered[{"sku":"A","quantity":2}] stock_reserved` {
		t.Errorf("%s, %s, sent %s", f.status(second), f.status(third), f.sent(second))
	}
	f.want("A", 1, 3, 0, 6)
	f.want("B", 1, 0, 0, 1)
	f.want("C", 8, 1, 0, 0)
}

func TestSeedsCanBeSold(t *testing.T) {
	t.Parallel()
	f := newFixture(t, seeds...)
	mug := slices.IndexFunc(seeds, func(p product) bool {
		return p.SKU == "MUG-BLUE" && p.Price == messages.Money{Amount: 1299, Currency: "EUR"}
	})
	once := slices.IndexFunc(seeds, func(p product) bool { return p.Stock.ReorderQuantity == 0 && p.Stock.Available <= 20 })
	if mug < 0 || once < 0 {
		t.Error("the mug, or the product that can run out, is gone")
	}
	for _, p := range seeds {
		quantity, point := p.Stock.ReorderQuantity, p.Stock.ReorderPoint
		e := editing{Name: p.Name, Description: p.Description, Price: p.Price, ReorderPoint: &point, ReorderQuantity: &quantity}
		if _, err := e.product(p.SKU); err != nil {
			t.Errorf("%s: an operator could not have entered it: %v", p.SKU, err)
		}
		if _, own := picture(p.SKU); !own {
			t.Errorf("%s has no picture", p.SKU)
		}
		f.want(p.SKU, p.Stock.Available, 0, 0, 0) // none is reordered at the start
	}
}

func TestALedgerEntryIsNeverMadeTwice(t *testing.T) {
	t.Parallel()
	f := newFixture(t, goods("A", 5))
	o := newOrder()
	f.receive(reserve(o, "A", 1), completed(o))
	_, err := f.db.Exec(t.Context(), fmt.Sprintf(`INSERT INTO stock_movements (reference, sku, what, quantity, at) VALUES ('%s', 'A', 'taken', -1, now())`, o))
	if !postgres.Duplicate(err) {
		t.Error(err)
	}
}
