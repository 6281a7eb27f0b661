package worker

import (
	"context"
	"log/slog"
	"time"
)

// Watch looks for what is due, and sees to it, again and again until ctx ends. It is a part of a program, and replicas may do it side
// by side. All fields are needed.
type Watch struct {
	For   string // what is looked for, in the log
	Log   *slog.Logger
	Every time.Duration // from the end of one look to the next
	Pause time.Duration // instead of Every, after an error, which is logged
	Most  int           // rows that a look sees to; after one that found as many, the next follows at once

	// Look sees to rows that are due, Most of them at most, and returns how many it has found.
	Look func(ctx context.Context) (n int, err error)
}

// Run looks until ctx ends. No error ends it; it returns nil.
func (w Watch) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		pause := w.Every
		n, err := w.Look(ctx)
		switch {
		case err != nil && ctx.Err() == nil:
			w.Log.WarnContext(ctx, "cannot look for what is due", "watch", w.For, "error", err, "again_in", w.Pause)
			pause = w.Pause
		case n >= w.Most:
			continue
		}
		wait(ctx, pause, nil)
	}
	return nil
}
