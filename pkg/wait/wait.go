// Package wait has the two ways in which a program waits: for a while, and for longer each time that something has failed.
package wait

import (
	"context"
	"math/rand/v2"
	"time"
)

// For waits for d. It returns false at once when ctx ends.
func For(ctx context.Context, d time.Duration) bool {
	Until(ctx, d, nil)
	return ctx.Err() == nil
}

// Until waits for something from wake, but for d at most, and returns whether it came. It returns false at once when ctx ends.
func Until(ctx context.Context, d time.Duration, wake <-chan struct{}) (woken bool) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-wake:
		return true
	case <-ctx.Done():
	}
	return false
}

// Backoff is how long to wait after each of some failures in a row, for one goroutine.
type Backoff struct {
	First, Most time.Duration
	failures    int
}

// Next counts a failure and returns how long to wait after it, as After does.
func (b *Backoff) Next() time.Duration {
	b.failures++
	return After(b.failures, b.First, b.Most)
}

// Reset is called after a success: the next failure is the first again.
func (b *Backoff) Reset() { b.failures = 0 }

// After is how long to wait after a number of failures in a row: first, twice as much after each further one, and at most most.
// It has "equal jitter": between half of that and all of it, at random, so that those that have failed together do not come again
// together (Marc Brooker, Exponential Backoff And Jitter, AWS Architecture Blog, 2015).
func After(failures int, first, most time.Duration) time.Duration {
	d := min(first, most)
	for range min(failures-1, 62) {
		if d >= most/2 {
			d = most
			break
		}
		d *= 2
	}
	return d/2 + rand.N(d/2+1)
}
