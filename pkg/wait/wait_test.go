package wait_test

import (
	"context"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"example.com/orderflow/pkg/wait"
)

func TestAWaitEndsWithItsTimeItsContextOrAWord(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		took := func() time.Duration {
			d := time.Since(begun)
			begun = time.Now()
			return d
		}
		if ok := wait.For(t.Context(), time.Hour); !ok || took() != time.Hour {
			t.Error("not for an hour")
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if ok := wait.For(ctx, time.Hour); ok || took() != time.Second {
			t.Error("not until the context has ended")
		}
		wake := make(chan struct{}, 1)
		if wait.Until(t.Context(), time.Minute, wake) || took() != time.Minute {
			t.Error("woken by nothing")
		}
		wake <- struct{}{}
		if !wait.Until(t.Context(), time.Minute, wake) || took() != 0 {
			t.Error("not woken")
		}
		if wait.Until(ctx, time.Minute, wake) || took() != 0 {
			t.Error("it waits although the context has ended")
		}
	})
}

func TestABackOffDoublesUpToItsMostWithJitter(t *testing.T) {
	t.Parallel()
	b := wait.Backoff{First: time.Second, Most: 10 * time.Second}
	for range 2 {
		for _, most := range []time.Duration{1, 2, 4, 8, 10, 10} {
			if d := b.Next(); d < most*time.Second/2 || d > most*time.Second {
				t.Errorf("%s, want half of %d s to all of it", d, most)
			}
		}
		b.Reset()
	}
	distinct := map[time.Duration]bool{}
	for range 100 {
		distinct[wait.After(1, time.Second, time.Minute)] = true
	}
	if len(distinct) < 50 {
		t.Errorf("%d different waits of 100", len(distinct))
	}
	for _, failures := range []int{-1, 0, 1, 1000, math.MaxInt} {
		if d := wait.After(failures, time.Hour, 300*time.Hour); d < time.Hour/2 || d > 300*time.Hour {
			t.Errorf("after %d failures %s", failures, d)
		}
	}
	if d := wait.After(3, time.Minute, time.Second); d > time.Second {
		t.Errorf("%s is more than the most", d)
	}
}
