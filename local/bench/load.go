package bench

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// target takes orders. Its methods may be called by many goroutines at the same time.
type target interface {
	// place returns the order's id when the order is durably accepted.
	place(ctx context.Context) (id string, err error)
	// ended returns when the order has ended. A final status other than delivered is an error.
	ended(ctx context.Context, id string) error
}

// lap is a finished order of a closed loop.
type lap struct {
	id             string
	began          time.Time     // when the request was sent
	accepted, done time.Duration // since then
}

// closed lets callers place orders until ctx ends; each caller places its next order when its last one has ended. It calls
// each for every order that has ended, one call at a time. The first error ends the loop.
//
// The number of orders under way is the number of callers, so the rate that results can be sustained.
func closed(ctx context.Context, t target, callers int, each func(lap)) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	finish := context.WithoutCancel(ctx) // an order that was sent is followed to its end
	finish, cancel := context.WithTimeout(finish, endWithin)
	defer cancel()
	var all sync.WaitGroup
	var mu sync.Mutex
	for range callers {
		all.Go(func() {
			for ctx.Err() == nil {
				l, err := once(finish, t)
				if err != nil {
					stop(err)
					return
				}
				mu.Lock()
				each(l)
				mu.Unlock()
			}
		})
	}
	all.Wait()
	if err := context.Cause(ctx); !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// endWithin bounds a load with all of its orders. No measurement here takes longer.
const endWithin = 30 * time.Minute

// once places one order and waits for its end.
func once(ctx context.Context, t target) (lap, error) {
	began := time.Now()
	id, err := t.place(ctx)
	if err != nil {
		return lap{}, err
	}
	l := lap{id: id, began: began, accepted: time.Since(began)}
	if err := t.ended(ctx, id); err != nil {
		return lap{}, err
	}
	l.done = time.Since(began)
	return l, nil
}

// arrival is an order of an open loop: when it was due, and its result.
type arrival struct {
	due      time.Time
	id       string
	accepted time.Duration // from when it was due
	err      error
}

// gaps are the times between arrivals at a rate. They are exponentially distributed, as with many independent callers. The
// same seed gives the same times.
func gaps(seed uint64, rate float64, length time.Duration) (due []time.Duration) {
	random := rand.New(rand.NewPCG(seed, uint64(length)))
	for at := time.Duration(0); ; {
		at += time.Duration(random.ExpFloat64() / rate * float64(time.Second))
		if at >= length {
			return due
		}
		due = append(due, at)
	}
}

// overdueMost bounds the orders of an open loop that have no answer yet. A system that is further behind does not sustain
// the rate that is to be measured.
const overdueMost = 20_000

// open sends orders at the given moments, whether or not earlier ones were answered, and returns when all have an answer.
// Times are counted from the moment when an order was due, so that a delay of the sender counts as well (no coordinated
// omission).
func open(ctx context.Context, t target, due []time.Duration) []arrival {
	arrivals := make([]arrival, len(due))
	began := time.Now()
	var all sync.WaitGroup
	var waiting atomic.Int64
	for i, after := range due {
		a := &arrivals[i]
		a.due = began.Add(after)
		if a.err = pause(ctx, time.Until(a.due)); a.err != nil {
			continue
		}
		if waiting.Load() >= overdueMost {
			a.err = errOverdue
			continue
		}
		waiting.Add(1)
		all.Go(func() {
			defer waiting.Add(-1)
			a.id, a.err = t.place(ctx)
			a.accepted = time.Since(a.due)
		})
	}
	all.Wait()
	return arrivals
}
