package main

import (
	"cmp"
	"context"
	"time"

	"example.com/orderflow/pkg/failpoint"
	"example.com/orderflow/pkg/unit"
	"example.com/orderflow/pkg/worker"
)

const (
	deadlinesEvery = time.Second
	deadlinesPause = 10 * time.Second // after a database error
)

// deadlines watches for deadlines that have passed and applies them to their orders. If two replicas find the same deadline,
// the second finds that it has been moved.
func (s *shop) deadlines() worker.Watch {
	return worker.Watch{For: "deadlines", Log: s.log, Every: deadlinesEvery, Pause: deadlinesPause, Most: unit.Most, Look: s.meetDeadlines}
}

// meetDeadlines applies a batch of the deadlines that have passed, the oldest first. It returns how many.
func (s *shop) meetDeadlines(ctx context.Context) (n int, err error) {
	ids, err := overdueOrders(ctx, s.db, s.now(), unit.Most)
	if err != nil || len(ids) == 0 {
		return 0, err
	}
	decisions := make([]unit.Decision[*work], len(ids))
	for i, id := range ids {
		decisions[i] = unit.Decision[*work]{
			Name: func(w *work) { w.orders.Name(id) },
			Make: func(w *work) error {
				o, _ := w.orders.Get(id)
				if out, ok := o.overdue(s.now(), s.timeouts); ok {
					w.put(ctx, out)
				}
				return nil
			},
		}
	}
	failpoint.At("orders.overdue")
	for _, failed := range s.office.Decide(ctx, decisions) {
		err = cmp.Or(failed, err)
	}
	return len(ids), err
}
