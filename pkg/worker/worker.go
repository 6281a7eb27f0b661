// Package worker handles rows that need the world outside: a payment provider, a carrier, a supplier. A message's
// transaction only records what is wanted. A worker then leases the row, makes the call outside any transaction, and
// records the outcome in a second one. After a crash in between the lease ends, and the next worker that claims the row
// finds out what was done before it does anything again.
package worker

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"example.com/orderflow/pkg/failpoint"
	"example.com/orderflow/pkg/wait"
)

const (
	pollEvery  = 500 * time.Millisecond // finds rows that have become due, and those that a dead replica has left
	delayMax   = 5 * time.Second
	claimShare = 4 // while there are more rows than slots, they are claimed when a quarter of the slots is free
)

// Worker is one kind of work. All fields are needed.
type Worker[T any] struct {
	Name  string
	Log   *slog.Logger
	Slots int // how many rows this replica handles at once: the bulkhead towards the outside

	// Claim leases up to limit rows that are due, in one statement with FOR UPDATE SKIP LOCKED. It sets the time at which
	// they are due again to the end of the lease, which must be longer than Within.
	Claim func(ctx context.Context, limit int) ([]T, error)
	// Do handles one row and records the outcome, also of a failure: a row that is left unchanged comes again when its
	// lease has ended. The error is logged.
	Do     func(ctx context.Context, row T) error
	Within time.Duration // how long Do may take, also when the program is stopping

	once sync.Once
	wake chan struct{} // there may be something to claim
	left chan struct{} // a slot has become free

	mu      sync.Mutex
	running context.Context //nolint:containedctx // of Run, for rows that Begin is given; nil: it does not run
	free    int
	behind  bool // rows may be due that found no slot: they come before those that are committed now
	working sync.WaitGroup
}

func (w *Worker[T]) init() {
	w.wake, w.left, w.free = make(chan struct{}, 1), make(chan struct{}, 1), w.Slots
}

// Wake makes the worker look for rows at once. It never waits.
func (w *Worker[T]) Wake() {
	w.once.Do(w.init)
	signal(w.wake)
}

// Reserve keeps up to n free slots for rows that are about to be committed with a lease of this worker, so that they need
// no claim. It returns how many it keeps: none while the worker does not run. Call Begin or Release afterwards.
func (w *Worker[T]) Reserve(n int) int {
	w.once.Do(w.init)
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.take(n)
}

// take is Reserve for a caller that has the lock.
func (w *Worker[T]) take(n int) int {
	if w.running == nil {
		return 0
	}
	n = min(n, w.free)
	w.free -= n
	return n
}

// spare reserves up to n free slots; none while other rows wait for one.
func (w *Worker[T]) spare(n int) int {
	w.once.Do(w.init)
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.running == nil || w.behind {
		return 0
	}
	spare := w.take(n)
	w.behind = spare < n
	return spare
}

// Release gives back slots that were reserved.
func (w *Worker[T]) Release(n int) {
	w.give(n)
	signal(w.left)
}

func (w *Worker[T]) give(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.free += n
}

// Begin starts work on leased rows, each in a slot that was reserved for it. It does not wait. While the worker does not
// run the rows are left until their leases end.
func (w *Worker[T]) Begin(rows ...T) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, row := range rows {
		ctx := w.running
		if ctx == nil {
			w.free++
			continue
		}
		w.working.Go(func() {
			defer w.Release(1)
			w.do(ctx, row)
		})
	}
}

// transaction is the part of postgres.Tx that Lend needs.
type transaction interface {
	OnCommit(f func())
	OnRollback(f func())
}

// Lend gives this worker a lease of some of the n due rows that tx commits: as many as there are free slots, and none while
// other rows wait. lease must make the i-th of them what Claim would return. When tx is committed, the worker begins with
// these rows, and is woken for the others.
func (w *Worker[T]) Lend(tx transaction, n int, lease func(i int) T) {
	rows := make([]T, w.spare(n))
	for i := range rows {
		rows[i] = lease(i)
	}
	tx.OnCommit(func() {
		w.Begin(rows...)
		if len(rows) < n {
			w.Wake()
		}
	})
	tx.OnRollback(func() { w.Release(len(rows)) })
}

// Run works until ctx ends, and then finishes what it has begun. No error ends it; it returns nil.
func (w *Worker[T]) Run(ctx context.Context) error {
	w.once.Do(w.init)
	w.mu.Lock()
	w.running = ctx
	w.mu.Unlock()
	delays, least := wait.Backoff{First: pollEvery, Most: delayMax}, 1
	for ctx.Err() == nil {
		free := w.Reserve((w.Slots + 1) / 2) // the other slots are for rows that are lent meanwhile
		if free < least {
			w.give(free)
			if !wait.Until(ctx, pollEvery, w.left) { // the other slots take long: the free ones should not stand idle
				least = 1
			}
			continue
		}
		rows, err := w.Claim(ctx, free)
		w.mu.Lock()
		w.free += free - len(rows)
		w.behind = err != nil || len(rows) == free
		w.mu.Unlock()
		w.Begin(rows...)
		switch {
		case err != nil && ctx.Err() == nil:
			delay := delays.Next()
			w.Log.WarnContext(ctx, "cannot claim work", "worker", w.Name, "error", err, "again_in", delay)
			wait.For(ctx, delay)
		case len(rows) < free:
			least = 1
			delays.Reset()
			wait.Until(ctx, pollEvery, w.wake)
		default: // there is more
			least = max(1, w.Slots/claimShare)
			delays.Reset()
		}
	}
	w.mu.Lock()
	w.running = nil
	w.mu.Unlock()
	w.working.Wait()
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

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
