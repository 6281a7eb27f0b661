package main

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"example.com/orderflow/pkg/fault"
)

const (
	// stockedWithin is how long a system that starts for the first time may take until the catalogue is here. One without any
	// products is no reason to wait for longer.
	stockedWithin = 20 * time.Second
	// stockedAfter is how long nothing more has come by then. Products come one by one, milliseconds after each other.
	stockedAfter = time.Second
)

var errNotStocked = fault.New(fault.Unavailable, "the catalogue has not arrived yet").After(time.Second)

// stocktaking is what is known of the catalogue's arrival, until it is here.
type stocktaking struct {
	done     atomic.Bool
	mu       sync.Mutex
	products int // at the last look
	changed  time.Time
}

// ready reports whether orders can be taken: our database answers, and there is what can be ordered. Without the second
// part, an order right after the very first start would be refused, since its product has not arrived yet.
func (s *shop) ready(ctx context.Context) error {
	now := s.now()
	if s.stock.done.Load() || now.Sub(s.started) > stockedWithin {
		return s.db.Ping(ctx)
	}
	n, err := countProducts(ctx, s.db)
	if err != nil {
		return err
	}
	s.stock.mu.Lock()
	defer s.stock.mu.Unlock()
	first := s.stock.changed.IsZero() // run looks before anything can arrive: what is here then has been here before
	if first || n != s.stock.products {
		s.stock.products, s.stock.changed = n, now
	}
	if n == 0 || !first && now.Sub(s.stock.changed) < stockedAfter {
		return errNotStocked
	}
	s.stock.done.Store(true)
	return nil
}
