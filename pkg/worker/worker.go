// Package worker works off rows that need the world outside: a payment provider, a carrier, a supplier. A message's
// transaction only records what is wanted; a worker then claims the row by a lease, makes the call outside any
// transaction, and records what came of it in a second one. After a crash in between, the lease runs out and the next
// claim finds out what had been done before it does anything again.
package worker

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"example.com/orderflow/pkg/failpoint"
)

const (
	pollEvery  = 500 * time.Millisecond // finds what is due later, and what a replica left behind
	troubleMax = 5 * time.Second
)

// Worker is one kind of work. All fields are needed.
type Worker[T any] struct {
	Name  string
	Log   *slog.Logger
	Slots int // how many rows are worked on at once, here: the bulkhead towards the outside

	// Claim leases up to limit rows that are due, in one statement with FOR UPDATE SKIP LOCKED, by moving the time at
	// which they are due again to the end of the lease, which must be longer than Within.
	Claim func(ctx context.Context, limit int) ([]T, error)

	// Do works on one row and records the outcome, failures included: a row that is left as it is comes again when its
	// lease has run out. The error is logged.
	Do     func(ctx context.Context, row T) error
	Within time.Duration // how long Do may take; also when the program is stopping

	once sync.Once
	wake chan struct{}
}

func (w *Worker[T]) init() { w.wake = make(chan struct{}, 1) }

// Wake makes the worker look at once. It never waits.
func (w *Worker[T]) Wake() {
	w.once.Do(w.init)
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// Run works until ctx ends, and then finishes what it has begun. No error ends it; it returns nil.
func (w *Worker[T]) Run(ctx context.Context) error {
	w.once.Do(w.init)
	slots := make(chan struct{}, w.Slots)
	var working sync.WaitGroup
	defer working.Wait()
	trouble := time.Duration(0)
	for ctx.Err() == nil {
		select { // at least one must be free
		case slots <- struct{}{}:
			<-slots
		case <-ctx.Done():
			continue
		}
		free := cap(slots) - len(slots)
		rows, err := w.Claim(ctx, free)
		if err != nil && ctx.Err() == nil {
			trouble = min(max(2*trouble, pollEvery), troubleMax)
			w.Log.WarnContext(ctx, "cannot claim work", "worker", w.Name, "error", err, "again_in", trouble)
			sleep(ctx, trouble/2+rand.N(trouble/2), nil)
			continue
		}
		trouble = 0
		for _, row := range rows {
			slots <- struct{}{}
			working.Go(func() {
				defer func() { <-slots }()
				w.do(ctx, row)
			})
		}
		if len(rows) < free {
			sleep(ctx, pollEvery, w.wake)
		}
	}
	return nil
}

func (w *Worker[T]) do(ctx context.Context, row T) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), w.Within)
	defer cancel()
	failpoint.At("worker.claimed")
	if err := w.Do(ctx, row); err != nil {
		w.Log.WarnContext(ctx, "work not done", "worker", w.Name, "error", err)
	}
	failpoint.At("worker.done")
}

func sleep(ctx context.Context, d time.Duration, wake <-chan struct{}) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-wake:
	case <-ctx.Done():
	}
}

// Backoff is how long a row that failed attempts times should wait: exponential from first, at most most, with equal jitter.
func Backoff(attempts int, first, most time.Duration) time.Duration {
	d := first
	for range min(attempts-1, 30) {
		if d = 2 * d; d >= most {
			d = most
			break
		}
	}
	return d/2 + rand.N(d/2+1)
}
