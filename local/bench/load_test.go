package bench

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// steady is a target that takes a fixed time to accept an order and another one to end it.
type steady struct {
	accept, end time.Duration
	placed      atomic.Int64
	under, most atomic.Int64
	fails       int64 // the number of the order that is refused, from 1
}

var errNo = errors.New("no")

func (s *steady) place(context.Context) (string, error) {
	n := s.placed.Add(1)
	s.most.Store(max(s.most.Load(), s.under.Add(1)))
	time.Sleep(s.accept)
	if n == s.fails {
		return "", errNo
	}
	return fmt.Sprint(n), nil
}

func (s *steady) ended(context.Context, string) error {
	defer s.under.Add(-1)
	time.Sleep(s.end)
	return nil
}

func TestAClosedLoopHasAsManyOrdersUnderWayAsCallers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, target := &rig{tell: t.Logf}, &steady{accept: 10 * time.Millisecond, end: 90 * time.Millisecond}
		marks := []bool{}
		w, err := r.loop(t.Context(), target, 20, 10*time.Second, func(begins bool) error {
			marks = append(marks, begins)
			return nil
		})
		if err != nil || !slices.Equal(marks, []bool{true, false}) {
			t.Errorf("marks %v, %v", marks, err)
		}
		if math.Abs(w.rate()-200) > 3 || target.most.Load() != 20 {
			t.Errorf("%.1f orders/s and %d under way, want 200 and 20", w.rate(), target.most.Load())
		}
		if accept, end := w.quantiles(); accept != (Quantiles{10, 10}) || end != (Quantiles{100, 100}) {
			t.Errorf("accepted after %v, ended after %v", accept, end)
		}
	})
}

func TestTheWindowOfALoopBeginsWhenItsFirstOrdersHaveEnded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, target := &rig{tell: t.Logf}, &steady{accept: time.Second, end: 19 * time.Second}
		began := time.Now()
		w, err := r.loop(t.Context(), target, 10, 65*time.Second, nil) // it ends between two orders
		if warm := w.from.Sub(began); warm < 20*time.Second || warm > 21*time.Second {
			t.Errorf("the window began after %s, want as long as an order takes", warm)
		}
		if err != nil || len(w.laps) != 30 {
			t.Errorf("%d orders in the window, want 30: 10 callers, 20 s each; %v", len(w.laps), err)
		}
	})
}

func TestAnErrorEndsAClosedLoop(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, target := &rig{tell: t.Logf}, &steady{accept: time.Second, fails: 7}
		if _, err := r.loop(t.Context(), target, 3, time.Hour, nil); !errors.Is(err, errNo) {
			t.Errorf("the loop ended with %v", err)
		}
	})
}

func TestASeedGivesTheSameArrivalsAtTheRequestedRate(t *testing.T) {
	t.Parallel()
	a, b, other := gaps(7, 50, time.Minute), gaps(7, 50, time.Minute), gaps(8, 50, time.Minute)
	if !slices.Equal(a, b) || slices.Equal(a, other) {
		t.Error("the arrivals do not depend on the seed alone")
	}
	if n := len(a); n < 2800 || n > 3200 || !slices.IsSorted(a) || a[n-1] >= time.Minute {
		t.Errorf("%d arrivals within %s, want about 3000", n, a[n-1])
	}
	// With exponential gaps, a share of 1 - 1/e is shorter than the mean; with even gaps it would be all or none.
	short, before := 0, time.Duration(0)
	for _, at := range a {
		if at-before < time.Second/50 {
			short++
		}
		before = at
	}
	if share := float64(short) / float64(len(a)); share < 0.58 || share > 0.68 {
		t.Errorf("%.2f of the gaps are shorter than the mean", share)
	}
}

// busy serves one order at a time.
type busy chan struct{}

func (b busy) place(context.Context) (string, error) {
	b <- struct{}{}
	time.Sleep(time.Second)
	<-b
	return "", nil
}

func (busy) ended(context.Context, string) error { return nil }

// The wait in front of a slow target has to be counted: a driver that waits for an answer before it sends the next order would
// not measure it (coordinated omission).
func TestTheTimeOfAnArrivalBeginsWhenItWasDue(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		due := []time.Duration{0, 100 * time.Millisecond, 200 * time.Millisecond, 300 * time.Millisecond}
		arrivals := open(t.Context(), make(busy, 1), due)
		var waited []time.Duration
		for _, a := range arrivals {
			if a.err != nil {
				t.Error(a.err)
			}
			waited = append(waited, a.accepted)
		}
		slices.Sort(waited) // the lock decides which waiting order is next
		if sum := waited[0] + waited[1] + waited[2] + waited[3]; sum != 10*time.Second-600*time.Millisecond || waited[0] != time.Second {
			t.Errorf("waited %v", waited)
		}
	})
}

func TestQuantilesAreThoseOfTheNearestRank(t *testing.T) {
	t.Parallel()
	var hundred []time.Duration
	for i := range 100 {
		hundred = append(hundred, time.Duration(100-i)*time.Millisecond)
	}
	for name, test := range map[string]struct {
		of   []time.Duration
		want Quantiles
	}{
		"none":    {nil, Quantiles{}},
		"one":     {[]time.Duration{5 * time.Millisecond}, Quantiles{5, 5}},
		"two":     {[]time.Duration{9 * time.Millisecond, 1500 * time.Microsecond}, Quantiles{1.5, 9}},
		"hundred": {hundred, Quantiles{50, 99}},
	} {
		if got := quantiles(test.of); got != test.want {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}
