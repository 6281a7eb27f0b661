package bench

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// target takes orders. Both methods are called by many goroutines at the same time.
type target interface {
	// place returns when the order was accepted for good, with its id.
	place(ctx context.Context) (id string, err error)
	// ended returns when the order is at its end, and it is an error when that is another one than delivered.
	ended(ctx context.Context, id string) error
}

// lap is an order of a closed loop that has ended.
type lap struct {
	id             string
	began          time.Time     // when it was sent
	accepted, done time.Duration // since then
}

// closed lets callers place orders one after the other, each when its last one has ended, until ctx ends. It calls each
// for every order that has ended; the calls come one at a time. The first error ends the loop.
//
// The number of orders under way is the number of callers, so whatever rate comes out can be kept up for ever.
func closed(ctx context.Context, t target, callers int, each func(lap)) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	finish := context.WithoutCancel(ctx) // an order that was sent is seen to its end
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

// endWithin bounds a load with all of its orders. Nothing that is measured here takes longer.
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

// arrival is an order of an open loop: when it was to be sent, and what became of it.
type arrival struct {
	due      time.Time
	id       string
	accepted time.Duration // from when it was due
	err      error
}

// gaps are the times between arrivals at a rate, exponential as those of many independent callers are. One seed always gives
// the same ones.
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

// overdueMost bounds the orders of an open loop that have no answer yet. A system that is that far behind is not at the
// rate that is to be measured.
const overdueMost = 20_000

// open sends orders at given moments, whether or not earlier ones were answered, and returns when all have an answer. The
// times are counted from when an order was due, so that an order that had to wait because the sender was held up counts the
// wait (no coordinated omission).
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
