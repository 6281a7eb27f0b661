package main

import (
	"context"
	"time"

	"example.com/orderflow/pkg/failpoint"
	"example.com/orderflow/pkg/unit"
)

const (
	deadlinesEvery = time.Second
	deadlinesPause = 10 * time.Second // after an error of the database
)

// watchDeadlines takes deadlines that have passed to their orders, until ctx ends. It is a part of the program, and replicas may
// do it side by side: whoever comes second finds the deadline moved.
func (s *shop) watchDeadlines(ctx context.Context) error {
	for ctx.Err() == nil {
		pause := deadlinesEvery
		n, err := s.meetDeadlines(ctx)
		switch {
		case err != nil && ctx.Err() == nil:
			s.log.WarnContext(ctx, "cannot look for deadlines", "error", err, "again_in", deadlinesPause)
			pause = deadlinesPause
		case n == unit.Most: // there are more
			pause = 0
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
		}
	}
	return nil
}

// meetDeadlines takes a number of deadlines to their orders, those first that have passed first.
func (s *shop) meetDeadlines(ctx context.Context) (n int, err error) {
	ids, err := overdueOrders(ctx, s.db, s.now(), unit.Most)
	if err != nil {
		return 0, err
	}
	decisions := make([]unit.Decision[*work], len(ids))
	for i, id := range ids {
		decisions[i] = unit.Decision[*work]{
			Name: func(w *work) { w.orders.Name(id) },
			Make: func(w *work) error {
				o, _ := w.orders.Get(id)
				if t, ok := o.overdue(s.now(), s.patience); ok {
					w.take(ctx, t)
				}
				return nil
			},
		}
	}
	if len(ids) == 0 {
		return 0, nil
	}
	failpoint.At("orders.overdue")
	for _, failed := range s.office.Decide(ctx, decisions) {
		if failed != nil {
			err = failed
		}
	}
	return len(ids), err
}
