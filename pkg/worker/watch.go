package worker

import (
	"context"
	"log/slog"
	"time"

	"example.com/orderflow/pkg/wait"
)

// Watch looks for rows that are due and handles them, again and again until ctx ends. It is a part of a program. Replicas
// may run it at the same time. All fields are needed.
type Watch struct {
	For   string // what is looked for, in the log
	Log   *slog.Logger
	Every time.Duration // from the end of one look to the next
	Pause time.Duration // instead of Every, after an error, which is logged
	Most  int           // rows of one look; when a look finds as many, the next one follows at once

	// Look handles rows that are due, up to Most of them, and returns how many it has found.
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
		wait.For(ctx, pause)
	}
	return nil
}
