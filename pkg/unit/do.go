package unit

import (
	"context"
	"slices"

	"example.com/orderflow/pkg/failpoint"
	"example.com/orderflow/pkg/fault"
)

// request is a decision that a caller of Do waits for.
type request[W Work] struct {
	Decision[W]
	done chan error
}

// Do makes a decision, in one transaction with those that others ask for at the same time: while one transaction is committed,
// the next one fills. (Databases do the same with their log, and call it group commit.) Nothing waits for it to be full, so a
// decision that is alone is made at once. The error is its own, or the database's; or ctx has ended: then it was not made if
// it had not begun, and else nobody knows. It is a fault.Error of kind Unavailable if too many are waiting.
func (o *Office[W]) Do(ctx context.Context, d Decision[W]) error {
	r := &request[W]{d, make(chan error, 1)}
	o.mu.Lock()
	if len(o.waiting) >= waitingMost {
		o.mu.Unlock()
		return fault.New(fault.Unavailable, "too much to do")
	}
	o.waiting = append(o.waiting, r)
	if o.busy < transactions {
		o.busy++
		go o.work(context.WithoutCancel(ctx))
	}
	o.mu.Unlock()
	select {
	case err := <-r.done:
		return err
	case <-ctx.Done():
		o.mu.Lock()
		defer o.mu.Unlock()
		o.waiting = slices.DeleteFunc(o.waiting, func(other *request[W]) bool { return other == r })
		select {
		case err := <-r.done: // it was made meanwhile
			return err
		default:
			return context.Cause(ctx)
		}
	}
}

// work decides what is waiting, until nothing is.
func (o *Office[W]) work(ctx context.Context) {
	for {
		o.mu.Lock()
		n := min(len(o.waiting), Most)
		if n == 0 {
			o.busy--
			o.mu.Unlock()
			return
		}
		batch := slices.Clone(o.waiting[:n])
		o.waiting = slices.Delete(o.waiting, 0, n)
		o.mu.Unlock()
		all := make([]Decision[W], n)
		for i, r := range batch {
			all[i] = r.Decision
		}
		if n > 1 {
			failpoint.At("unit.grouped")
		}
		for i, err := range o.Decide(ctx, all) {
			batch[i].done <- err
		}
	}
}
