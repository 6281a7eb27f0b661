package worker

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// list is work that is claimed once.
type list struct {
	mu   sync.Mutex
	todo []int
}

func (l *list) claim(_ context.Context, limit int) ([]int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := min(limit, len(l.todo))
	claimed := l.todo[:n]
	l.todo = l.todo[n:]
	return claimed, nil
}

func TestAWorkerNeverDoesMoreAtOnceThanItHasSlots(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &list{todo: make([]int, 20)}
		var now, most, done atomic.Int32
		w := &Worker[int]{Name: "w", Log: slog.New(slog.DiscardHandler), Slots: 3, Claim: l.claim, Within: time.Minute, Do: func(context.Context, int) error {
			most.Store(max(most.Load(), now.Add(1)))
			time.Sleep(time.Second)
			now.Add(-1)
			done.Add(1)
			return nil
		}}
		ctx, stop := context.WithCancel(t.Context())
		go w.Run(ctx) //nolint:errcheck // always nil
		time.Sleep(10 * time.Second)
		if done.Load() != 20 || most.Load() != 3 {
			t.Errorf("%d done, %d at once, want 20 and 3", done.Load(), most.Load())
		}
		stop()
	})
}

func TestAWorkerFinishesRowsThatItHasBegunAndClaimsNoMore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &list{todo: make([]int, 5)}
		finished := 0
		w := &Worker[int]{Name: "w", Log: slog.New(slog.DiscardHandler), Slots: 1, Claim: l.claim, Within: time.Minute, Do: func(ctx context.Context, _ int) error {
			time.Sleep(10 * time.Second)
			if ctx.Err() == nil {
				finished++
			}
			return nil
		}}
		ctx, stop := context.WithCancel(t.Context())
		stopped := make(chan struct{})
		go func() { defer close(stopped); _ = w.Run(ctx) }()
		time.Sleep(time.Second)
		stop()
		<-stopped
		if finished != 1 || len(l.todo) != 4 {
			t.Errorf("%d finished, %d left, want 1 and 4", finished, len(l.todo))
		}
	})
}

func TestAWorkerIsWokenAndSurvivesErrors(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &list{}
		troubles := 3
		var at time.Time
		w := &Worker[int]{
			Name: "w", Log: slog.New(slog.DiscardHandler), Slots: 2, Within: time.Minute,
			Claim: func(ctx context.Context, limit int) ([]int, error) {
				if troubles > 0 {
					troubles--
					return nil, errors.New("no database")
				}
				return l.claim(ctx, limit)
			},
			Do: func(context.Context, int) error { at = time.Now(); return errors.New("no luck") },
		}
		ctx, stop := context.WithCancel(t.Context())
		go w.Run(ctx) //nolint:errcheck // always nil
		time.Sleep(20*time.Second + 10*time.Millisecond)
		l.mu.Lock()
		l.todo = []int{1}
		l.mu.Unlock()
		begun := time.Now()
		w.Wake()
		synctest.Wait()
		if at.Sub(begun) != 0 {
			t.Errorf("done at %s after being woken at %s", at, begun)
		}
		stop()
	})
}
