package main

import (
	"fmt"
	"testing"
	"time"
)

func TestAnOrderArrivesAfterTheLeadTime(t *testing.T) {
	t.Parallel()
	clock := newFakeClock()
	s := start(t, clock.now, config{SupplierLead: duration(5 * time.Second)})
	const body = `{"sku":"MUG-BLUE","quantity":50}`
	got := s.post("/supplier/orders", "k", body)
	s.want(got, 201, "")
	made := read[supply](t, got)
	if made.Status != "ordered" || !made.ArrivesAt.Equal(clock.now().Add(5*time.Second)) {
		t.Errorf("order: %+v", made)
	}
	clock.advance(5*time.Second - time.Millisecond)
	again := s.post("/supplier/orders", "k", body)
	s.want(again, 200, "")
	if again := read[supply](t, again); again != made {
		t.Errorf("order: %+v, want %+v", again, made)
	}
	clock.advance(time.Millisecond)
	if got := items[supply](t, s.get("/supplier/orders?key=k")); len(got) != 1 || got[0].Status != "delivered" || got[0].ID != made.ID {
		t.Errorf("order: %+v", got)
	}
}

func TestTheSupplierRefusesInvalidOrders(t *testing.T) {
	t.Parallel()
	s := start(t, now, config{})
	for _, quantity := range []int{-1, 0, 1_000_001} {
		s.want(s.post("/supplier/orders", "k", fmt.Sprintf(`{"sku":"MUG-BLUE","quantity":%d}`, quantity)), 422, "invalid")
	}
	s.want(s.post("/supplier/orders", "k", `{"quantity":1}`), 422, "invalid")
	s.want(s.post("/supplier/orders", "k", `{"sku":"MUG-BLUE","quantity":1000000}`), 201, "")
	s.want(s.post("/supplier/orders", "k", `{"sku":"MUG-BLUE","quantity":1}`), 422, "idempotency_key_reused")
}
