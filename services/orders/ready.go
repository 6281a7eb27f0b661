package main

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"example.com/orderflow/pkg/fault"
)

const (
	// stockedWithin is how long a new system waits at most for its catalogue at its first start. Without products in the
	// catalogue, waiting longer would not help.
	stockedWithin = 20 * time.Second
	// stockedAfter is the pause after which the catalogue counts as complete: products arrive one by one, a few milliseconds
	// apart.
	stockedAfter = time.Second
)

var errNotStocked = fault.New(fault.Unavailable, "the catalogue has not arrived yet").After(time.Second)

// stocktaking follows the arrival of the catalogue until it is complete.
type stocktaking struct {
	done     atomic.Bool
	mu       sync.Mutex
	products int // at the last count
	changed  time.Time
}

// ready reports whether orders can be accepted: the database answers, and there are products. Without the second condition, an
// order right after the very first start would be refused, because its product has not arrived yet.
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
	first := s.stock.changed.IsZero() // run counts before messages can arrive: products that are here then are from an earlier start
	if first || n != s.stock.products {
		s.stock.products, s.stock.changed = n, now
	}
	if n == 0 || !first && now.Sub(s.stock.changed) < stockedAfter {
		return errNotStocked
	}
	s.stock.done.Store(true)
	return nil
}
