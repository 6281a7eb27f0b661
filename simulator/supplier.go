package main

import (
	"crypto/rand"
	"net/http"
	"time"
)

const supplyMost = 1_000_000 // units in one order

// supplier delivers orders a fixed time after they were placed. As with the carrier, no goroutine does this.
type supplier struct {
	clock   func() time.Time
	journal *journal
	lead    time.Duration // for new orders

	book  []string // all keys, in the order of arrival
	byKey map[string]supply
}

func newSupplier(clock func() time.Time, journal *journal, lead time.Duration) *supplier {
	return &supplier{clock: clock, journal: journal, lead: lead, byKey: map[string]supply{}}
}

// supply is an order to the supplier. Its status follows from the clock and is not stored.
type supply struct {
	ID        string    `json:"id"`
	Key       string    `json:"key"`
	Status    string    `json:"status,omitempty"` // ordered or delivered
	OrderedAt time.Time `json:"ordered_at"`
	ArrivesAt time.Time `json:"arrives_at"`
	supplyRequest
}

type supplyRequest struct {
	SKU      string `json:"sku"`
	Quantity int    `json:"quantity"`
}

// order takes an order, once for each key.
func (s *supplier) order(key string, in supplyRequest) answer {
	if in.SKU == "" || in.Quantity < 1 || in.Quantity > supplyMost {
		return invalid("an order has a sku and a quantity from 1 to %d", supplyMost)
	}
	at := s.clock()
	if known, exists := s.byKey[key]; exists {
		if known.supplyRequest != in {
			return keyReused(key)
		}
		return ok(known.at(at))
	}
	o := supply{ID: "so_" + rand.Text(), Key: key, OrderedAt: at, ArrivesAt: at.Add(s.lead), supplyRequest: in}
	s.journal.append(line{Supply: &o})
	s.apply(o)
	return created(o.at(at))
}

func (s *supplier) supplyByKey(key string) (supply, bool) {
	o, exists := s.byKey[key]
	return o.at(s.clock()), exists
}

// at returns the order with its status at a time.
func (o supply) at(now time.Time) supply {
	o.Status = "ordered"
	if !now.Before(o.ArrivesAt) {
		o.Status = "delivered"
	}
	return o
}

// page lists all orders in the order of arrival.
func (s *supplier) page(r *http.Request) answer {
	now := s.clock()
	return page(r, s.book, func(key string) supply { return s.byKey[key].at(now) })
}

func (s *supplier) apply(o supply) {
	s.book = append(s.book, o.Key) // no duplicates: an order never changes
	s.byKey[o.Key] = o
}
