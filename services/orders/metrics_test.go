package main

import (
	"testing"
	"time"
)

// The deadline of an order tells when it has entered its state, however many deadlines have passed since.
func TestADeadlineTellsSinceWhenAnOrderIsInItsState(t *testing.T) {
	t.Parallel()
	limits := timeouts{Step: time.Minute, Backorder: time.Hour, Dispatch: time.Hour, Delivery: 3 * time.Hour, Longest: 5 * time.Hour, Tries: 20}
	begun := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, in := range []status{placed, backordered, reserved, paid, shipped, withdrawing, refunding, releasing} {
		o := order{}.enter(in, orderAccepted, "", begun, limits).order
		for passed := range 12 {
			if at := o.entered(limits); !at.Equal(begun) {
				t.Errorf("%s, after %d deadlines: since %s", in, passed, at)
			}
			out, ok := o.overdue(*o.DueAt, limits)
			if !ok || out.order.Status != in {
				t.Fatalf("%s, after %d deadlines: %t, %s", in, passed, ok, out.order.Status)
			}
			o = out.order
		}
	}
}

func TestAStateIsMeasuredWhenAnOrderLeavesIt(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	limits := timeouts{Step: time.Minute, Dispatch: time.Hour, Longest: time.Hour, Tries: 3}
	s := &shop{timeouts: limits, now: func() time.Time { return now }}
	w := s.work()
	o := order{ID: "1"}.place(now, limits)
	w.put(t.Context(), o)
	if len(w.ended) != 0 {
		t.Errorf("a new order has left %v", w.ended)
	}
	now = now.Add(3 * time.Second)
	w.put(t.Context(), o.order.note(attentionNeeded, "nothing new", now))
	w.put(t.Context(), o.order.enter(reserved, "stock_reserved", "", now, limits))
	if len(w.ended) != 1 || w.ended[0].in != placed || w.ended[0].took != 3*time.Second {
		t.Errorf("it has left %v", w.ended)
	}
}
