package worker

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// started is a worker that runs in a synctest bubble. Each row says how long it takes.
func started(t *testing.T, slots int, claim func(context.Context, int) ([]time.Duration, error)) (w *Worker[time.Duration], done *atomic.Int32, stop func()) {
	t.Helper()
	done = new(atomic.Int32)
	w = &Worker[time.Duration]{
		Name: "w", Log: slog.New(slog.DiscardHandler), Slots: slots, Claim: claim, Within: time.Minute,
		Do: func(ctx context.Context, row time.Duration) error {
			select {
			case <-time.After(row):
				done.Add(1)
			case <-ctx.Done():
			}
			return nil
		},
	}
	ctx, cancel := context.WithCancel(t.Context())
	stopped := make(chan struct{})
	go func() { defer close(stopped); _ = w.Run(ctx) }()
	synctest.Wait()
	stop = sync.OnceFunc(func() { cancel(); <-stopped })
	t.Cleanup(stop)
	return w, done, stop
}

func nothing(context.Context, int) ([]time.Duration, error) { return nil, nil }

func TestARowThatIsCommittedWithALeaseIsHandledAtOnceAndNotClaimed(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		claimed := 0
		w, done, stop := started(t, 3, func(context.Context, int) ([]time.Duration, error) { claimed++; return nil, nil })
		before := claimed
		if n := w.Reserve(2); n != 2 {
			t.Fatalf("%d of 2 slots are reserved", n)
		}
		w.Begin(0, 0)
		synctest.Wait()
		if done.Load() != 2 || claimed != before {
			t.Errorf("%d done after %d claims, want 2 after none", done.Load(), claimed-before)
		}
		if n := w.Reserve(5); n != 3 {
			t.Errorf("%d slots are free again, want 3", n)
		}
		w.Release(3)
		stop()
	})
}

func TestNoMoreIsReservedThanThereAreSlots(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		limits := map[int]bool{}
		w, _, _ := started(t, 3, func(_ context.Context, limit int) ([]time.Duration, error) { limits[limit] = true; return nil, nil })
		synctest.Wait()
		clear(limits)
		if a, b, c := w.Reserve(2), w.Reserve(2), w.Reserve(2); a != 2 || b != 1 || c != 0 {
			t.Errorf("reserved %d, %d and %d of 3", a, b, c)
		}
		time.Sleep(2 * pollEvery) // a worker without a free slot claims nothing
		synctest.Wait()
		if len(limits) > 0 {
			t.Errorf("claims of %v rows without a slot", limits)
		}
		w.Release(2)
		time.Sleep(2 * pollEvery)
		synctest.Wait()
		if len(limits) != 1 || !limits[2] {
			t.Errorf("claims of %v rows with 2 free slots", limits)
		}
		w.Release(1)
	})
}

func TestARowThatIsBegunWhileTheWorkerDoesNotRunIsLeftToItsLease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, done, stop := started(t, 2, nothing)
		if w.Reserve(2) != 2 {
			t.Fatal("no slots")
		}
		stop() // between the reservation and the commit
		w.Begin(0, 0)
		time.Sleep(time.Second)
		if done.Load() != 0 || w.Reserve(1) != 0 {
			t.Errorf("%d rows are done by a worker that has stopped", done.Load())
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go w.Run(ctx) //nolint:errcheck // always nil
		synctest.Wait()
		if n := w.Reserve(2); n != 2 {
			t.Errorf("%d of 2 slots are left", n)
		}
	})
	w := &Worker[int]{Slots: 2}
	if n := w.Reserve(1); n != 0 {
		t.Errorf("%d slots are reserved of a worker that has never run", n)
	}
}

func TestAStoppingWorkerFinishesRowsThatWereBegunWithALease(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w, done, stop := started(t, 2, nothing)
		w.Begin(make([]time.Duration, w.Reserve(1))...) // a row that is done at once
		w.Reserve(1)
		w.Begin(10 * time.Second)
		time.Sleep(time.Second)
		begun := time.Now()
		stop()
		if done.Load() != 2 || time.Since(begun) != 9*time.Second {
			t.Errorf("%d done, %s after it was to stop", done.Load(), time.Since(begun))
		}
	})
}

func TestWhileThereIsMoreToDoThanSlotsRowsAreClaimedInFewStatements(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const slots, total = 16, 400
		var mu sync.Mutex
		claims, left := 0, total
		_, done, _ := started(t, slots, func(_ context.Context, limit int) ([]time.Duration, error) {
			mu.Lock()
			defer mu.Unlock()
			claims++
			rows := make([]time.Duration, min(limit, left))
			for i := range rows { // they end one after the other
				rows[i] = time.Duration(100+left-i) * time.Millisecond
			}
			left -= len(rows)
			return rows, nil
		})
		for done.Load() < total {
			time.Sleep(10 * time.Millisecond)
		}
		mu.Lock()
		defer mu.Unlock()
		if most := total/(slots/claimShare) + 10; claims > most {
			t.Errorf("%d claims for %d rows, want at most %d", claims, total, most)
		}
	})
}

// A free slot is used although the rows in the other slots take long.
func TestAFreeSlotWaitsForOthersOnlyForALimitedTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var all []time.Duration
		for range 7 {
			all = append(all, time.Minute-time.Second)
		}
		all = append(all, time.Second, 0, 0)
		var mu sync.Mutex
		_, done, _ := started(t, 8, func(_ context.Context, limit int) ([]time.Duration, error) {
			mu.Lock()
			defer mu.Unlock()
			n := min(limit, len(all))
			rows := all[:n]
			all = all[n:]
			return rows, nil
		})
		time.Sleep(5 * time.Second)
		if done.Load() != 3 {
			t.Errorf("%d done in one free slot, want 3", done.Load())
		}
	})
}

// A row that finds no free slot is not overtaken for ever by rows that are committed later.
func TestRowsThatWaitComeBeforeThoseThatAreLent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var waiting []time.Duration
		began := map[time.Duration]time.Duration{} // by the time of commit
		epoch := time.Now()
		w := &Worker[time.Duration]{
			Name: "w", Log: slog.New(slog.DiscardHandler), Slots: 40, Within: time.Minute,
			Claim: func(_ context.Context, limit int) ([]time.Duration, error) {
				mu.Lock()
				defer mu.Unlock()
				n := min(limit, len(waiting))
				claimed := waiting[:n]
				waiting = waiting[n:]
				return claimed, nil
			},
			Do: func(_ context.Context, committed time.Duration) error {
				mu.Lock()
				began[committed] = time.Since(epoch)
				mu.Unlock()
				time.Sleep(time.Second)
				return nil
			},
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		go w.Run(ctx) //nolint:errcheck // always nil
		synctest.Wait()
		const all = 400
		for range all { // 50 a second, and the slots are good for 40
			now := time.Since(epoch)
			var commit func()
			lent := false
			w.Lend(transactionOf(func(f func()) { commit = f }), 1, func(int) time.Duration { lent = true; return now })
			mu.Lock()
			if !lent {
				waiting = append(waiting, now)
			}
			mu.Unlock()
			commit()
			time.Sleep(20 * time.Millisecond)
		}
		time.Sleep(time.Minute)
		mu.Lock()
		defer mu.Unlock()
		longest := time.Duration(0)
		for committed, at := range began {
			longest = max(longest, at-committed)
		}
		// After eight seconds a fifth of the rows waits, which is two seconds of work.
		if len(began) != all || longest > 3*time.Second {
			t.Errorf("%d of %d rows were worked on, one of them %s after its commit", len(began), all, longest)
		}
		if lent := w.spare(40); lent != 40 {
			t.Errorf("%d slots are lent again", lent)
		}
	})
}

// transactionOf is a transaction for tests: it is called with the function that OnCommit registers.
type transactionOf func(commit func())

func (tx transactionOf) OnCommit(f func()) { tx(f) }
func (transactionOf) OnRollback(func())    {}
