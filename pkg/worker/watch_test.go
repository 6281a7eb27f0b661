package worker

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestAWatchLooksAgainAtOnceWhileThereIsMore(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithTimeout(t.Context(), 15*time.Second)
		defer stop()
		begun := time.Now()
		finds := []int{3, 3, 1, 0, 3, 0}
		var looks []time.Duration
		w := Watch{For: "w", Log: slog.New(slog.DiscardHandler), Every: time.Second, Pause: 5 * time.Second, Most: 3, Look: func(context.Context) (int, error) {
			looks = append(looks, time.Since(begun)/time.Second)
			if len(looks) > len(finds) {
				return 3, errors.New("no database") // although there is more
			}
			return finds[len(looks)-1], nil
		}}
		if err := w.Run(ctx); err != nil {
			t.Error(err)
		}
		if want := []time.Duration{0, 0, 0, 1, 2, 2, 3, 8, 13}; !slices.Equal(looks, want) {
			t.Errorf("looked at %d, want %d", looks, want)
		}
	})
}
