package unit

import (
	"context"
	"slices"
	"time"

	"example.com/orderflow/pkg/failpoint"
	"example.com/orderflow/pkg/fault"
)

// request is a decision that a caller of Do waits for.
type request[W Work] struct {
	Decision[W]
	done chan error
}

// Do makes a decision, in one transaction with those that other callers ask for at the same time: while one transaction is
// committed, the next one fills. (Databases do the same with their log, and call it group commit.) A transaction does not
// wait until it is full, so a single decision is made at once. While a transaction is slow, the next one begins beside it.
//
// The error is the decision's own, or the database's. When ctx ends, a decision that has not begun is not made; one that
// has begun may have been committed. When too many decisions are waiting, the error is a fault.Error of kind Unavailable.
func (o *Office[W]) Do(ctx context.Context, d Decision[W]) error {
	r := &request[W]{d, make(chan error, 1)}
	o.mu.Lock()
	if len(o.waiting) >= waitingMost {
		o.mu.Unlock()
		return fault.New(fault.Unavailable, "too much to do")
	}
	o.waiting = append(o.waiting, r)
	o.start(context.WithoutCancel(ctx))
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

// start begins a transaction for the waiting decisions, unless another one is about to take them. The caller has the lock.
func (o *Office[W]) start(ctx context.Context) {
	if o.brisk || o.lanes == transactions || len(o.waiting) == 0 {
		return
	}
	o.brisk = true
	o.lanes++
	go o.work(ctx)
}

// work makes the waiting decisions, until there are none or a transaction was slow.
func (o *Office[W]) work(ctx context.Context) {
	for {
		batch := o.next()
		if len(batch) == 0 || !o.decide(ctx, batch) {
			return
		}
	}
}

func (o *Office[W]) next() []*request[W] {
	o.mu.Lock()
	defer o.mu.Unlock()
	n := min(len(o.waiting), Most)
	if n == 0 {
		o.brisk = false
		o.lanes--
		return nil
	}
	batch := slices.Clone(o.waiting[:n])
	o.waiting = slices.Delete(o.waiting, 0, n)
	return batch
}

// decide makes decisions, and reports whether that was brisk. When it was not, another transaction may have begun
// meanwhile.
func (o *Office[W]) decide(ctx context.Context, batch []*request[W]) (brisk bool) {
	brisk = true
	over := false
	late := time.AfterFunc(slow, func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		if over {
			return
		}
		brisk, o.brisk = false, false
		o.start(ctx)
	})
	defer late.Stop()
	all := make([]Decision[W], len(batch))
	for i, r := range batch {
		all[i] = r.Decision
	}
	if len(batch) > 1 {
		failpoint.At("unit.grouped")
	}
	for i, err := range o.Decide(ctx, all) {
		batch[i].done <- err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	over = true
	if !brisk {
		o.lanes--
		o.start(ctx)
	}
	return brisk
}
