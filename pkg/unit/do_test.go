package unit_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"example.com/orderflow/pkg/fault"
	"example.com/orderflow/pkg/postgres"
	"example.com/orderflow/pkg/testkit"
	"example.com/orderflow/pkg/unit"
)

// gate lets transactions begin one by one.
type gate struct {
	begun chan struct{} // a transaction has begun
	pass  chan struct{} // it may go on
}

func gated(t *testing.T) (*bench, *gate) {
	t.Helper()
	b, g := newBench(t, ""), &gate{make(chan struct{}, 1000), make(chan struct{})}
	b.hook = func(context.Context, *postgres.Tx) error {
		g.begun <- struct{}{}
		<-g.pass
		return nil
	}
	return b, g
}

// occupy makes as many decisions as Do has transactions at the same time, each in its own transaction, and returns the
// channel of their answers.
func (g *gate) occupy(t *testing.T, b *bench) (answers chan error) {
	t.Helper()
	answers = make(chan error, 2)
	for i := range 2 {
		go func() { answers <- b.Do(context.Background(), add(fmt.Sprint("busy", i), 1)) }()
		<-g.begun
	}
	return answers
}

func TestDecisionsAtTheSameTimeAreMadeInFewTransactionsAndEachHasItsOwnAnswer(t *testing.T) {
	t.Parallel()
	b, g := gated(t)
	busy := g.occupy(t, b)
	const callers = 100
	answers := make([]error, callers)
	numbers := make([]int, callers)
	var all sync.WaitGroup
	for i := range callers {
		all.Go(func() {
			if i%10 == 3 {
				answers[i] = b.Do(t.Context(), no("a"))
				return
			}
			answers[i] = b.Do(t.Context(), unit.Decision[*counters]{
				Name: func(w *counters) { w.rows.Name("a") },
				Make: func(w *counters) error {
					err := add("a", 1).Make(w)
					c, _ := w.rows.Get("a")
					numbers[i] = c.N
					return err
				},
			})
		})
	}
	testkit.Until(t, "all are waiting", func() bool { return b.Waiting() == callers })
	close(g.pass)
	all.Wait()
	for i, err := range answers {
		if refused := i%10 == 3; errors.Is(err, errNo) != refused || !refused && err != nil {
			t.Errorf("the answer to caller %d: %v", i, err)
		}
	}
	slices.Sort(numbers)
	if got := slices.Compact(numbers); len(got) != 91 || got[90] != 90 { // and 0, for those that were refused
		t.Errorf("the numbers that were given out: %v", got)
	}
	if a, b := <-busy, <-busy; a != nil || b != nil {
		t.Error(a, b)
	}
	b.expect(t, 2+1, map[string]int{"a": 90, "busy0": 1, "busy1": 1})
}

func TestASingleDecisionIsMadeAtOnceAndABadOneHarmsNoOther(t *testing.T) {
	t.Parallel()
	b := newBench(t, "")
	if err := b.Do(t.Context(), add("a", 1)); err != nil {
		t.Error(err)
	}
	b.expect(t, 1, map[string]int{"a": 1})
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			n := 1
			if i%10 == 0 {
				n = 1000
			}
			if err := b.Do(t.Context(), add(fmt.Sprint("k", i), n)); postgres.NeverWorks(err) != (n == 1000) || n == 1 && err != nil {
				t.Errorf("caller %d: %v", i, err)
			}
		})
	}
	all.Wait()
	var n int
	if err := b.db.QueryRow(t.Context(), `SELECT count(*) FROM counters`).Scan(&n); err != nil || n != 46 {
		t.Errorf("%d rows, %v, want 46", n, err)
	}
}

func TestTheDecisionOfACallerThatLeavesIsNotMadeUnlessItHasBegun(t *testing.T) {
	t.Parallel()
	b, g := gated(t)
	left := errors.New("left")
	ctx, leave := context.WithCancelCause(t.Context())
	answers := make(chan error, 2)
	for i := range 2 { // their transactions have begun
		go func() { answers <- b.Do(ctx, add(fmt.Sprint("begun", i), 1)) }()
		<-g.begun
	}
	go func() { answers <- b.Do(ctx, add("waiting", 1)) }()
	stays := make(chan error, 1)
	go func() { stays <- b.Do(t.Context(), add("stays", 1)) }()
	spoils := make(chan error, 1) // it spoils the batch, which is then divided although the callers that began the work have left
	go func() { spoils <- b.Do(t.Context(), add("spoils", 1000)) }()
	testkit.Until(t, "three are waiting", func() bool { return b.Waiting() == 3 })
	leave(left)
	for range 3 {
		if err := <-answers; !errors.Is(err, left) {
			t.Errorf("a caller who has left: %v", err)
		}
	}
	close(g.pass)
	if stay, spoil := <-stays, <-spoils; stay != nil || !postgres.NeverWorks(spoil) {
		t.Errorf("those who stay: %v, %v", stay, spoil)
	}
	testkit.Until(t, "all is decided", func() bool { return b.n(t, "begun0")+b.n(t, "begun1") == 2 })
	b.expect(t, 2+1+2, map[string]int{"begun0": 1, "begun1": 1, "waiting": 0, "stays": 1})
}

func TestADecisionIsRefusedWhenTooManyAreWaiting(t *testing.T) {
	t.Parallel()
	b, g := gated(t)
	busy := g.occupy(t, b)
	ctx, leave := context.WithCancel(t.Context())
	var all sync.WaitGroup
	for range 1000 {
		all.Go(func() {
			if err := b.Do(ctx, add("a", 1)); !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
	}
	testkit.Until(t, "a thousand are waiting", func() bool { return b.Waiting() == 1000 })
	if err := b.Do(t.Context(), add("a", 1)); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("one more: %v", err)
	}
	leave()
	all.Wait()
	close(g.pass)
	if a, b := <-busy, <-busy; a != nil || b != nil {
		t.Error(a, b)
	}
	if err := b.Do(t.Context(), add("a", 1)); err != nil {
		t.Errorf("once there is room again: %v", err)
	}
	b.expect(t, 3, map[string]int{"a": 1})
}
